"""What is measured of images from partial masks."""

import numpy as np

from segguided.evaluation.partial_masks import partial_rows
from support.partial_sets import CLASSES, stack


def rows_by(predictions, masks):
    return {(row["kept"], row["class"]): row for row in partial_rows(predictions, masks, CLASSES)}


def test_perfect_images_keep_everything_and_vary_nothing():
    masks = stack().masks_SHW[2:]
    rows = rows_by({"all": np.stack([masks, masks]), "b": np.stack([masks, masks])}, masks)
    assert all(row["dice"] == row["ratio_to_full"] == row["area"] == 1 for row in rows.values())
    assert all(row["variation"] == 0 for row in rows.values())
    assert rows["b", "b"]["role"] == "constrained"
    assert rows["b", "a"]["role"] == "free"


def test_a_free_class_that_moves_between_samples_varies_and_a_lost_one_has_no_area():
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
