"""The applications: rare cases drawn and used, the paired dataset's layout, translation by class names."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from draw_translation import draw_translation
from generate_paired import generate_paired
from generate_rare import generate_rare
from pair_images import pair_images
from segguided.config.evaluation import Evaluation
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.augmented import with_generated
from segguided.data.datasets.phantom import CONTRASTS, make_phantom
from segguided.data.formats.npz import write_npz
from segguided.data.slices import SliceSet, read_generated, read_slices, write_stack
from segguided.evaluation.rare import rare_case_rows
from segguided.evaluation.translation import translation_rows
from segguided.figures.settings import FigureDataset
from segguided.generation.rare import generate_rare_cases
from segguided.generation.translation import (
    files_of_same_patients,
    in_target_classes,
    shared_slices,
    with_mask_values,
)
from segguided.models.segmenter import load_segmenter
from support.partial_sets import CLASSES, folder, stack  # noqa: F401
from support.readers import Reader, example_set
from train_augmented import train_augmented
from translate_masks import translate_masks

SAMPLING = Sampling(sampler="ddim", steps=2, batch_size=3, precision="fp32")


def echo(masks_BHW, names):
    return masks_BHW * 50


def test_rare_masks_are_drawn_equally_often_each_time_anew():
    slices = SliceSet([stack("p"), stack("q")])
    images, ids = generate_rare_cases(echo, slices, 3, len(CLASSES), 6, batch_size=4)
    holders = ["p_slice_4", "p_slice_5", "q_slice_4", "q_slice_5"]
    assert ids == [*(f"{name}/0" for name in holders), "p_slice_4/1", "q_slice_5/1"]
    assert np.array_equal(images[0], slices.stacks[0].masks_SHW[4] * 50)
    with pytest.raises(ValueError, match="no held-out mask holds the rare class"):
        generate_rare_cases(echo, SliceSet([stack(n=3)]), 3, len(CLASSES), 6, batch_size=4)


def test_generated_images_join_the_real_ones_under_their_masks():
    slices = SliceSet([stack("p"), stack("q")])
    joined = with_generated(slices, *generate_rare_cases(echo, slices, 3, len(CLASSES), 6, batch_size=4))
    assert len(joined) == len(slices) + 6
    generated = joined.stacks[0]
    assert generated.patient == "generated"
    assert np.array_equal(generated.images_SHW, generated.masks_SHW * 50)
    with pytest.raises(ValueError, match="nobody_slice_0, which is no mask of these slices"):
        with_generated(slices, np.zeros((1, 8, 8), np.uint8), ["nobody_slice_0/0"])


def test_rare_case_scripts_draw_and_train_with_the_images_added(folder):  # noqa: F811
    weights, slices = folder / "model/model.safetensors", [folder / "p.npz"]
    generate_rare(weights, slices, SAMPLING, 2, 2, 6, 0, folder / "drawn.npz")
    assert len(read_generated(folder / "drawn.npz")[1]) == 6
    settings = Segmenter(channels=(4, 8), training=Training(epochs=2, batch_size=5, learning_rate=1e-2))
    output = folder / "with/model.safetensors"
    write_stack(folder / "q.npz", replace(read_slices(slices).stacks[0], patient="q"))
    test = [*slices, folder / "q.npz"]
    train_augmented(slices, folder / "drawn.npz", test, 0, settings, 2, 0, output, 1e9)
    history = (folder / "with/history.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in history[1:]] == ["2", "4"], "two batches of five: ten images"
    load_segmenter(folder / "with/model.safetensors")


def test_gain_of_the_rare_class_is_measured_on_the_test_half():
    arguments = (("a", "b"), "b", Evaluation(bootstrap_resamples=100))
    rows = {row["class"]: row for row in rare_case_rows(example_set(), Reader(blind=2), Reader(), *arguments)}
    assert rows["b"]["difference"] == rows["b"]["difference_low"] == rows["b"]["dice_real_and_generated"] == 1
    assert [name for name, row in rows.items() if row["rare"]] == ["b"]
    assert (rows["macro"]["patients"], rows["macro"]["slices"]) == (2, 12)
    assert rows["a"]["difference"] == 0


def test_paired_dataset_has_the_released_layout_and_the_same_bytes_twice(folder):  # noqa: F811
    for name in ("one.zip", "two.zip"):
        generate_paired(
            folder / "model/model.safetensors", [folder / "p.npz"], SAMPLING, [2], 0, folder / "g.npz"
        )
        pair_images([folder / "p.npz"], folder / "g.npz", ["a", "b"], ["b"], folder / name)
    assert (folder / "one.zip").read_bytes() == (folder / "two.zip").read_bytes()
    slices = read_slices([folder / "p.npz"])
    with zipfile.ZipFile(folder / "one.zip") as archive:
        names = archive.namelist()
        assert sorted(names) == sorted(
            ["README.txt"]
            + [f"synthetic_data/condon_{n}.png" for n in slices.names]
            + [f"{part}/{n}.png" for part in ("real_data", "segmentations") for n in slices.names]
        )
        for part, expected in (("real_data", slices.images), ("segmentations", slices.masks)):
            with archive.open(f"{part}/{slices.names[1]}.png") as file:
                assert np.array_equal(np.asarray(Image.open(file)), expected[1])
        with archive.open(f"synthetic_data/condon_{slices.names[1]}.png") as file:
            assert np.asarray(Image.open(file)).std() > 5
        assert "were kept: b." in archive.read("README.txt").decode()


def test_masks_are_recoded_by_class_names_and_an_unknown_class_is_named():
    slices = SliceSet([stack()])
    renamed = in_target_classes(slices, CLASSES, ("c", "a", "b"))
    table = {0: 0, 1: 2, 2: 3, 3: 1}
    assert all(np.array_equal(renamed.masks == table[k], slices.masks == k) for k in table)
    with pytest.raises(ValueError, match="masks hold b, but the model knows no class of that name"):
        in_target_classes(slices, CLASSES, ("a", "c"))
    with pytest.raises(ValueError, match="masks hold class 2, class 3, but the model knows no class"):
        with_mask_values(slices, [1, 0, 0])
    assert in_target_classes(SliceSet([stack(n=2)]), CLASSES, ("a", "x")).masks.max() == 1, (
        "absent classes may lack"
    )


def test_translated_images_are_measured_against_masks_and_the_modalitys_own_images(folder):  # noqa: F811
    """What measure_translation writes."""
    weights = folder / "model/model.safetensors"
    translate_masks(weights, [folder / "p.npz"], SAMPLING, [1, 2], 0, folder / "t.npz")
    slices = read_slices([folder / "p.npz"])
    generated = slices.with_images(*read_generated(folder / "t.npz"))
    evaluator = load_segmenter(folder / "segmenter/model.safetensors")
    alone = translation_rows(slices, generated, None, evaluator, ("a", "b"))
    assert [row["measure"] for row in alone] == ["dice_a", "dice_b", "dice_macro"]
    rows = {r["measure"]: r for r in translation_rows(slices, generated, slices, evaluator, ("a", "b"))}
    assert rows["ssim_untranslated"]["value"] == pytest.approx(1)
    assert rows["mae_untranslated"]["value"] == 0 < rows["mae"]["value"]
    assert rows["ssim"]["images"] == 4


def test_only_patients_of_both_modalities_are_compared():
    found, images = shared_slices(SliceSet([stack("p"), stack("q")]), SliceSet([stack("q")]))
    assert found.tolist() == [False] * 6 + [True] * 6
    assert np.array_equal(images, stack("q").images_SHW)
    theirs = [Path(f"t1/{patient}.npz") for patient in "ropq"]
    assert files_of_same_patients(theirs, [Path("t2/p.npz"), Path("t2/q.npz")]) == theirs[2:]


def test_translation_picture_shows_the_other_modality(folder):  # noqa: F811
    slices = read_slices([folder / "p.npz"])
    write_npz(folder / "t.npz", images=slices.images, names=np.array(slices.names))
    classes = tuple({"name": name, "color": "red"} for name in ("a", "b"))
    made = {
        "name": "t2",
        "classes": classes,
        "slices": [folder / "p.npz"],
        "generated": {"t1": folder / "t.npz"},
    }
    widths = []
    for own in ([], [folder / "no-patient-of-t2.npz"], [folder / "p.npz", folder / "no-patient-of-t2.npz"]):
        draw_translation(FigureDataset.model_validate(made), "t1", own, 2, folder / "picture.png")
        widths.append(Image.open(folder / "picture.png").width)
    assert widths[2] > widths[1] == widths[0]


def test_contrasts_show_the_same_anatomy_in_other_greys():
    one, other = (make_phantom("p", 0, 32, 4, contrast) for contrast in CONTRASTS)
    assert np.array_equal(one.labels_zyx, other.labels_zyx)
    vessels, fat = one.labels_zyx == 2, one.labels_zyx == 1
    assert one.image_zyx[vessels].mean() > 2 * one.image_zyx[fat].mean()
    assert other.image_zyx[vessels].mean() < other.image_zyx[fat].mean()
