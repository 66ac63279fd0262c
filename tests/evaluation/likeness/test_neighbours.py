"""Precision, recall, density and coverage agree with their definitions, and fail where they should."""

import numpy as np
import pytest

from segguided.evaluation.likeness.neighbours import NEIGHBOURS, neighbour_measures


def features(n, seed, shift=0.0, dimensions=8):
    return np.random.default_rng(seed).normal(shift, 1, (n, dimensions))


def means(features_ND, real_MD):
    return {name: values.mean() for name, values in neighbour_measures(features_ND, real_MD).items()}


def by_definition(features_ND, real_MD, k):
    """Loops over images, from the papers' equations."""

    def radius(x, own):
        return sorted(np.linalg.norm(own - x, axis=1))[k]  # the first is x itself

    balls = [np.linalg.norm(features_ND - y, axis=1) <= radius(y, real_MD) for y in real_MD]  # (M, N)
    reached = [np.linalg.norm(real_MD - x, axis=1) <= radius(x, features_ND) for x in features_ND]
    return {
        "precision": np.any(balls, axis=0).mean(),
        "density": np.sum(balls) / (k * len(features_ND)),
        "recall": np.any(reached, axis=0).mean(),
        "coverage": np.any(balls, axis=1).mean(),
    }


def test_they_are_what_the_papers_define():
    generated, real = features(40, 0, 0.3), features(30, 1)
    assert means(generated, real) == pytest.approx(by_definition(generated, real, NEIGHBOURS))


def test_parts_of_the_distance_matrix_change_nothing(monkeypatch):
    whole = means(features(40, 0), features(30, 1))
    monkeypatch.setattr("segguided.evaluation.likeness.neighbours.ROWS", 7)
    assert means(features(40, 0), features(30, 1)) == whole


def test_two_sets_of_one_distribution_score_high():
    scores = means(features(400, 0), features(400, 1))
    assert scores["density"] == pytest.approx(1, abs=0.15), "1 is expected (Naeem et al.)"
    assert min(scores["precision"], scores["recall"], scores["coverage"]) > 0.8


def test_copies_of_one_real_image_are_precise_and_fail_recall_and_coverage():
    real = features(60, 0)
    scores = means(np.repeat(real[:1], 60, axis=0), real)
    assert scores["precision"] == 1
    assert scores["recall"] <= 1 / 60
    assert scores["coverage"] < 0.3


def test_images_far_from_all_real_ones_fail_precision_density_and_coverage():
    scores = means(features(60, 0, shift=20), features(60, 1))
    assert (scores["precision"], scores["density"], scores["coverage"]) == (0, 0, 0)


def test_few_images_have_fewer_neighbours():
    assert means(features(3, 0), features(3, 0))["coverage"] == 1
    with pytest.raises(ValueError, match="two images in each set, got 1 and 3"):
        neighbour_measures(features(1, 0), features(3, 0))
