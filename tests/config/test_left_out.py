"""What a configuration leaves out is named with the setting that is lacking, and nothing else is."""

import pytest

from segguided.config.left_out import applications_left_out, figures_left_out
from support.miniature_config import config


def models(*names):
    return {"grid": {"models": list(names)}}


def of_dataset(**settings):
    return {"datasets": {"breast-phantom": settings}}


def test_the_miniature_leaves_out_nothing():
    assert figures_left_out(config()) == []
    assert applications_left_out(config()) == []


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({"partial_masks": None}, ["figures 3 and 6 left out: partial_masks is not set"]),
        ({"similarity": None}, ["figure 4 left out: similarity is not set"]),
        (
            of_dataset(partial_masks=[]),
            [
                "figures 3 and 6 left out: no dataset of the grid has partial_masks",
                "figure 4 left out: no dataset of the grid has partial_masks",
            ],
        ),
        (
            {
                "grid": {"datasets": ["breast-phantom", "breast-mri"]},
                "datasets": {"breast-mri": {"partial_masks": []}},
            },
            ["breast-mri left out of figures 3, 4 and 6: datasets.breast-mri.partial_masks is empty"],
        ),
        (
            models("segguided", "segguided-mat"),
            ["figure 1 left out: grid.models lacks unconditional (or a model with a completer)"],
        ),
        (
            models("unconditional"),
            [
                "figure 1 left out: grid.models lacks segguided (or a model with a completer)",
                "figures 2 and 5 and the showcase left out: grid.models names no model that sees a mask",
                "figures 3 and 6 left out: grid.models names none of partial_masks.models "
                "(segguided-mat, segguided, segguided-plus)",
                "figure 4 left out: grid.models lacks segguided-mat, which similarity.model names",
            ],
        ),
        (
            models("spade"),
            [
                "figure 1 left out: grid.models lacks segguided and unconditional (or a model with a "
                "completer)",
                "figures 3 and 6 left out: grid.models names none of partial_masks.models "
                "(segguided-mat, segguided, segguided-plus)",
                "figure 4 left out: grid.models lacks segguided-mat, which similarity.model names",
            ],
        ),
    ],
)  # fmt: skip
def test_figures(changes, sentences):
    assert figures_left_out(config(**changes)) == sentences


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {"applications": None},
            ["rare cases, paired images, translations and counterfactuals left out: applications is not set"],
        ),
        (
            {"applications": {"rare": None}},
            ["rare cases left out: applications.rare is not set"],
        ),
        (
            {"applications": {"counterfactuals": None}},
            ["counterfactuals left out: applications.counterfactuals is not set"],
        ),
        (
            of_dataset(partial_masks=[]),
            ["paired images of breast-phantom left out: datasets.breast-phantom.partial_masks is empty"],
        ),
        (
            {"applications": {"translations": []}},
            ["translations left out: applications.translations is empty"],
        ),
        (
            {"applications": {"translations": [{"masks": "breast-phantom", "dataset": "breast-phantom-t2"}]}},
            ["translations left out: applications.translations names no dataset of the grid as its dataset"],
        ),
        (
            models("segguided-mat", "spade"),
            [
                "rare cases, translations and counterfactuals left out: "
                "grid.models lacks segguided, which applications.model names"
            ],
        ),
        (
            models("segguided"),
            [
                "paired images left out: "
                "grid.models lacks segguided-mat, which applications.partial_model names"
            ],
        ),
    ],
)  # fmt: skip
def test_applications(changes, sentences):
    assert applications_left_out(config(**changes)) == sentences
