"""Partial masks: which classes are kept, on which masks, from which noise; what is measured of them."""

import numpy as np
import pytest
import torch

from generate_partial import generate_partial
from measure_partial import measure_partial
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet
from segguided.evaluation.partial_masks import partial_rows
from segguided.generation.partial_masks import generate_conditions, keep_classes, spread_slices
from segguided.generation.variants import read_variants, with_class_names, write_variants
from segguided.text_tables import read_table
from support.partial_sets import CLASSES, folder, stack  # noqa: F401


def test_removed_classes_become_background_and_kept_ones_stay():
    masks = torch.tensor([[[0, 1], [2, 3]]], dtype=torch.uint8)
    assert keep_classes(masks, [1, 3]).tolist() == [[[0, 1], [0, 3]]]
    assert keep_classes(masks, []).tolist() == [[[0, 0], [0, 0]]]
    assert keep_classes(masks, [1, 2, 3]).equal(masks)


def test_masks_are_spread_over_those_with_two_classes():
    slices = SliceSet([stack("p"), stack("q")])
    assert spread_slices(slices, 100).names == [f"{p}_slice_{i}" for p in "pq" for i in (2, 3, 4, 5)]
    assert spread_slices(slices, 3).names == ["p_slice_2", "q_slice_2", "q_slice_5"]
    with pytest.raises(ValueError, match="no test mask holds two classes"):
        spread_slices(SliceSet([stack(n=2)]), 1)


def test_each_draw_has_noise_of_its_own_and_the_first_that_of_the_mask():
    asked = []

    def draw(masks_BHW, names):
        asked.append((masks_BHW.unique().tolist(), list(names)))
        return masks_BHW

    slices = spread_slices(SliceSet([stack()]), 2)
    variants = generate_conditions(draw, slices, len(CLASSES), [[2]], 2, batch_size=8)
    assert list(variants) == ["all/0", "all/1", "2/0", "2/1"]
    names = ["p_slice_2", "p_slice_5"]
    again = [f"{name}#1" for name in names]
    assert asked == [([0, 1, 2, 3], names), ([0, 1, 2, 3], again), ([0, 2], names), ([0, 2], again)]


def test_values_of_conditions_become_class_names_in_the_same_order():
    variants = {name: np.full((1, 2, 2), k) for k, name in enumerate(("all/0", "2/0", "3+1/0", "3+1/1"))}
    named = with_class_names(variants, CLASSES)
    assert list(named) == ["all/0", "b/0", "c+a/0", "c+a/1"]
    assert [int(images.max()) for images in named.values()] == [0, 1, 2, 3]


def test_variants_come_back_by_label_with_their_slices(tmp_path):
    slices = SliceSet([stack()])
    chosen = spread_slices(slices, 2)
    written = {"0.25": np.full((2, 8, 8), 1, np.uint8), "1": np.full((2, 8, 8), 2, np.uint8)}
    write_variants(tmp_path / "set.npz", written, chosen.names)
    variants, found = read_variants(tmp_path / "set.npz", slices)
    assert list(variants) == list(written)
    assert all(np.array_equal(variants[label], written[label]) for label in written)
    assert found.names == chosen.names
    with pytest.raises(ValueError, match="do not belong to these slices' masks"):
        read_variants(tmp_path / "set.npz", slices.where([i == 2 for i in range(6)]))


def rows_by(predictions, masks):
    return {(row["kept"], row["class"]): row for row in partial_rows(predictions, masks, CLASSES)}


def test_perfect_images_keep_everything_and_vary_nothing():
    masks = stack().masks_SHW[2:]
    rows = rows_by({"all": np.stack([masks, masks]), "b": np.stack([masks, masks])}, masks)
    assert all(row["dice"] == row["ratio_to_full"] == row["area"] == 1 for row in rows.values())
    assert all(row["variation"] == 0 for row in rows.values())
    assert rows["b", "b"]["role"] == "constrained"
    assert rows["b", "a"]["role"] == "free"


def test_a_free_class_that_moves_between_draws_varies_and_a_lost_one_has_no_area():
    masks = stack().masks_SHW[4:]
    moved, lost = masks.copy(), masks.copy()
    moved[masks == 1], moved[masks == 3] = 3, 1
    lost[masks == 3] = 0
    rows = rows_by(
        {"all": np.stack([masks, masks]), "b": np.stack([masks, moved]), "a": np.stack([lost, lost])}, masks
    )
    assert rows["b", "b"]["variation"] == 0
    assert rows["b", "a"]["variation"] == rows["b", "c"]["variation"] == 1
    assert rows["a", "c"]["area"] == 0
    assert rows["a", "macro"]["dice"] == rows["a", "a"]["dice"] == 1
    assert rows["b", "macro"]["dice"] == 1
    assert rows["a", "c"]["ratio_to_full"] == 0


def test_scripts_draw_and_measure_every_condition(folder):  # noqa: F811
    sampling = Sampling(sampler="ddim", steps=2, batch_size=3, precision="fp32")
    for name in ("first.npz", "second.npz"):
        generate_partial(
            folder / "model/model.safetensors",
            [folder / "p.npz"],
            sampling,
            2,
            [[2]],
            3,
            2,
            0,
            folder / name,
        )
    assert (folder / "first.npz").read_bytes() == (folder / "second.npz").read_bytes()
    measure_partial(
        dataset="set",
        models=["m"],
        generated=[folder / "first.npz"],
        slices=[folder / "p.npz"],
        evaluator=folder / "segmenter/model.safetensors",
        classes=["a", "b"],
        output=folder / "partial.csv",
    )
    rows = read_table(folder / "partial.csv", ",").rows
    assert [(row["kept"], row["class"], row["role"]) for row in rows] == [
        ("all", "a", "constrained"), ("all", "b", "constrained"), ("all", "macro", "constrained"),
        ("b", "a", "free"), ("b", "b", "constrained"), ("b", "macro", "constrained"),
    ]  # fmt: skip
    assert all(row["dataset"] == "set" and row["model"] == "m" for row in rows)
