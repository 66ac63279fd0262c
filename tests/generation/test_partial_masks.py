"""Partial masks: which classes are kept, on which masks, from which noise."""

import numpy as np
import pytest
import torch

from generate_partial import generate_partial
from measure_partial import measure_partial
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet, read_slices
from segguided.data.splits import halve_test
from segguided.generation.partial_masks import generate_conditions, keep_classes, slices_of_several_classes
from segguided.generation.variants import read_variants
from segguided.text_tables import read_table
from support.partial_sets import CLASSES, stack


def test_removed_classes_become_background_and_kept_ones_stay():
    masks = torch.tensor([[[0, 1], [2, 3]]], dtype=torch.uint8)
    assert keep_classes(masks, [1, 3]).tolist() == [[[0, 1], [0, 3]]]
    assert keep_classes(masks, []).tolist() == [[[0, 0], [0, 0]]]
    assert keep_classes(masks, [1, 2, 3]).equal(masks)


def test_masks_are_spread_over_those_with_two_classes():
    slices = SliceSet([stack("p"), stack("q")])
    assert slices_of_several_classes(slices, 100).names == [
        f"{p}_slice_{i}" for p in "pq" for i in (2, 3, 4, 5)
    ]
    assert slices_of_several_classes(slices, 3).names == ["p_slice_2", "q_slice_2", "q_slice_5"]
    with pytest.raises(ValueError, match="no test mask holds two classes"):
        slices_of_several_classes(SliceSet([stack(n=2)]), 1)


def test_each_sample_has_noise_of_its_own_and_the_first_that_of_the_mask():
    calls = []

    def sampler(masks_BHW, names, free=()):
        calls.append((masks_BHW.unique().tolist(), list(names)))
        return masks_BHW

    slices = slices_of_several_classes(SliceSet([stack()]), 2)
    variants = generate_conditions(sampler, None, slices, len(CLASSES), [[2]], 2, batch_size=8)
    assert list(variants.images) == ["all/0", "all/1", "2/0", "2/1"]
    assert [np.unique(masks_MHW).tolist() for masks_MHW in variants.masks.values()] == [
        [0, 1, 2, 3], [0, 1, 2, 3], [0, 2], [0, 2],
    ]  # fmt: skip
    names = ["p_slice_2", "p_slice_5"]
    again = [f"{name}#1" for name in names]
    assert calls == [([0, 1, 2, 3], names), ([0, 1, 2, 3], again), ([0, 2], names), ([0, 2], again)]


def test_a_completer_fills_in_what_is_removed_before_the_model_sees_the_mask():
    calls = []

    def sampler(masks_BHW, names, free=()):
        calls.append((masks_BHW.unique().tolist(), list(names), list(free)))
        return masks_BHW

    def completer(masks_BHW, names, free):
        return torch.where(masks_BHW == 0, free[0], masks_BHW) if free else masks_BHW

    slices = slices_of_several_classes(SliceSet([stack()]), 2)
    variants = generate_conditions(sampler, completer, slices, len(CLASSES), [[2]], 1, batch_size=8)
    names = ["p_slice_2", "p_slice_5"]
    assert calls == [([0, 1, 2, 3], names, []), ([1, 2], names, [])]
    assert np.array_equal(variants.masks["2/0"], variants.images["2/0"])


def test_without_a_completer_the_removed_classes_are_free():
    calls = []

    def sampler(masks_BHW, names, free=()):
        calls.append(list(free))
        return masks_BHW

    slices = slices_of_several_classes(SliceSet([stack()]), 2)
    generate_conditions(sampler, None, slices, len(CLASSES), [[2]], 1, batch_size=8)
    assert calls == [[], [1, 3]]


def test_scripts_generate_and_measure_every_condition(trained):
    sampling = Sampling(sampler="ddim", steps=2, batch_size=3, precision="fp32")
    for name in ("first.npz", "second.npz"):
        generate_partial(
            trained / "model/model.safetensors",
            [trained / "p.npz"],
            sampling,
            2,
            [[2]],
            3,
            2,
            0,
            trained / name,
        )
    assert (trained / "first.npz").read_bytes() == (trained / "second.npz").read_bytes()
    measure_partial(
        dataset="set",
        models=["m"],
        generated=[trained / "first.npz"],
        slices=[trained / "p.npz"],
        evaluator=trained / "segmenter/model.safetensors",
        classes=["a", "b"],
        output=trained / "partial.csv",
    )
    rows = read_table(trained / "partial.csv", ",").rows
    assert [(row["kept"], row["class"], row["role"]) for row in rows] == [
        ("all", "a", "constrained"), ("all", "b", "constrained"), ("all", "macro", "constrained"),
        ("b", "a", "free"), ("b", "b", "constrained"), ("b", "macro", "constrained"),
    ]  # fmt: skip
    assert all(row["dataset"] == "set" and row["model"] == "m" for row in rows)


def test_the_script_may_choose_masks_of_the_measuring_half_alone(trained):
    """Of two test patients, one chooses segmenters' epochs and the other is shown."""
    paths = [trained / "p.npz", trained / "q.npz"]
    paths[1].write_bytes(paths[0].read_bytes())
    test = read_slices(paths)
    sampling = Sampling(sampler="ddim", steps=1, batch_size=8, precision="fp32")
    output = trained / "half.npz"
    weights = trained / "model/model.safetensors"
    generate_partial(weights, paths, sampling, 2, [[2]], 9, 1, 0, output, halves_seed=0)
    _variants, chosen = read_variants(output, test)
    halves = halve_test(["p", "q"], 0)
    assert {halves[patient] for patient in chosen.patients} == {"test"}
