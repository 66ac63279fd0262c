"""--keep-best: of the images of a mask, those whose segmentation agrees best with it."""

import csv
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

from generate import generate
from segguided.app import keeping
from segguided.app.keeping import agreement
from segguided.config.models.segmenter import Segmenter
from segguided.data.formats.png import write_grey
from segguided.models.segmenter import build_segmenter
from segguided.training.storage import save_network
from support.readers import Reader


def save_segmenter(folder, n_classes=2, **description):
    """A segmenter with random weights."""
    training = {"steps": 1, "batch_size": 1, "learning_rate": 1}
    settings = Segmenter.model_validate({"channels": [4, 8], "training": training})
    torch.manual_seed(0)
    network = build_segmenter(settings, n_classes).eval()
    folder.mkdir(parents=True)
    said = {"segmenter": settings.model_dump(), "n_classes": n_classes, **description}
    save_network(network, folder / "model.safetensors", said)
    return folder


@pytest.fixture
def results(run_folder, tmp_path):
    """Results with the run as runs/tiny/mine/seed3, and only the evaluator beside it."""
    folder = tmp_path / "results"
    shutil.copytree(run_folder, folder / "runs/tiny/mine/seed3")
    save_segmenter(folder / "segmenters/tiny/real/seed3")
    return folder


def run_of(results):
    return results / "runs/tiny/mine/seed3"


def trained_on_own_images(results):
    return save_segmenter(results / "segmenters/tiny/mine/seed3")


def manifest(folder):
    with (folder / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def two_masks(tmp_path):
    mask_HW = np.zeros((16, 16), np.uint8)
    mask_HW[2:8, 2:14] = 1
    mask_HW[9:14, 2:14] = 2
    for name in ("first", "second"):
        write_grey(tmp_path / "masks" / f"{name}.png", mask_HW)
    return tmp_path / "masks"


WRONG = {"first": (5, 0, 9, 2), "second": (1, 7, 0, 3)}  # by mask: wrong pixels of samples 0 to 3


@pytest.fixture
def known_images(monkeypatch):
    """Images that paint the mask, but so many pixels of b in the grey of a; a segmenter that reads them."""

    def sampler(masks_BHW, names, free):
        images_BHW = masks_BHW * 100
        for image_HW, name in zip(images_BHW, names, strict=True):
            mask, _, sample = name.partition("#")
            wrong = WRONG[mask][int(sample or 0)]
            image_HW[9, 2 : 2 + wrong] = 100
        return images_BHW

    monkeypatch.setattr("segguided.app.generate.load_sampler", lambda *_: sampler)
    monkeypatch.setattr(keeping, "load_segmenter", lambda _weights: Reader())


def test_the_best_images_of_each_mask_are_kept(results, two_masks, tmp_path, known_images, caplog):
    trained_on_own_images(results)
    caplog.set_level("INFO")
    generate(run_of(results), two_masks, tmp_path / "out", images_per_mask=4, keep_best=2)
    kept = {path.name for path in (tmp_path / "out/images").iterdir()}
    assert kept == {"first_1.png", "first_3.png", "second_0.png", "second_2.png"}
    rejected = {path.name for path in (tmp_path / "out/rejected").iterdir()}
    assert rejected == {"first_0.png", "first_2.png", "second_1.png", "second_3.png"}
    rows = manifest(tmp_path / "out")
    assert len(rows) == 8
    for row in rows:
        assert (tmp_path / "out" / row["image"]).is_file()
        assert row["kept"] == str(int(row["image"].startswith("images/")))
        assert row["rejection_rate"] == "0.5000"
        wrong = WRONG[row["mask_id"]][int(row["sample"])]
        dice = (2 * 72 / (144 + wrong) + 2 * (60 - wrong) / (120 - wrong)) / 2
        assert float(row["agreement"]) == pytest.approx(dice, abs=1e-6)
        assert '"keep_best": 2' in row["settings"] and '"segmenter": "' in row["settings"]
    assert "kept 4 of 8 images, rejected 50 %; macro Dice with their masks: 0.99" in caplog.text


def test_images_of_all_seeds_compete(results, two_masks, tmp_path):
    trained_on_own_images(results)
    generate(run_of(results), two_masks, tmp_path / "out", noise_seeds=[0, 1, 2], keep_best=1)
    rows = manifest(tmp_path / "out")
    for mask in ("first", "second"):
        of_mask = [row for row in rows if row["mask_id"] == mask]
        best = max(of_mask, key=lambda row: float(row["agreement"]))
        assert [row for row in of_mask if row["kept"] == "1"] == [best]
    assert len(list((tmp_path / "out/images").iterdir())) == 2


def test_free_classes_are_not_counted():
    mask_HW = np.zeros((4, 4), np.uint8)
    mask_HW[0], mask_HW[2] = 1, 2
    predicted_HW = np.where(mask_HW == 1, 1, 0).astype(np.uint8)
    assert agreement(predicted_HW, mask_HW, [1, 2], 2) == 0.5
    assert agreement(predicted_HW, mask_HW, [1], 2) == 1
    assert agreement(predicted_HW, mask_HW, [2], 2) == 0
    assert np.isnan(agreement(predicted_HW, np.zeros_like(mask_HW), [1, 2], 2))


def test_of_images_that_differ_in_a_free_class_the_first_are_kept(
    results, tmp_path, two_masks, known_images, monkeypatch
):
    """Class b is left to the model, which paints more of it in some images: by it they would be 2 and 0."""
    trained_on_own_images(results)

    def sampler(masks_BHW, names, free):
        images_BHW = masks_BHW * 100
        for image_HW, name in zip(images_BHW, names, strict=True):
            mask, _, sample = name.partition("#")
            image_HW[9, 2 : 2 + WRONG[mask][int(sample or 0)]] = 200
        return images_BHW

    monkeypatch.setattr("segguided.app.generate.load_sampler", lambda *_: sampler)
    options = {"images_per_mask": 4, "keep_best": 2, "free": ["b"]}
    generate(run_of(results), two_masks / "first.png", tmp_path / "out", **options)
    assert {path.name for path in (tmp_path / "out/images").iterdir()} == {"first_0.png", "first_1.png"}
    assert {row["agreement"] for row in manifest(tmp_path / "out")} == {"1.000000"}


def test_of_masks_without_a_class_that_counts_the_first_images_are_kept(results, tmp_path, known_images):
    trained_on_own_images(results)
    write_grey(tmp_path / "mine/first.png", np.zeros((16, 16), np.uint8))
    generate(run_of(results), tmp_path / "mine", tmp_path / "out", images_per_mask=4, keep_best=2)
    assert {path.name for path in (tmp_path / "out/images").iterdir()} == {"first_0.png", "first_1.png"}
    assert {row["agreement"] for row in manifest(tmp_path / "out")} == {""}


def test_the_volume_is_of_each_slices_best_image(results, tmp_path, known_images, monkeypatch):
    trained_on_own_images(results)
    monkeypatch.setitem(WRONG, "v_slice_0", (3, 0))
    monkeypatch.setitem(WRONG, "v_slice_1", (0, 4))
    labels = np.zeros((16, 16, 2), np.int16)
    labels[2:14, 2:8], labels[2:14, 9:14] = 7, 9
    nib.save(nib.Nifti1Image(labels, np.diag([-1, -1, 1, 1])), tmp_path / "v.nii.gz")
    generate(run_of(results), tmp_path / "v.nii.gz", tmp_path / "out", images_per_mask=2, keep_best=1)
    assert [path.name for path in (tmp_path / "out/volumes").iterdir()] == ["v.nii.gz"]
    grey = np.rint((nib.load(tmp_path / "out/volumes/v.nii.gz").get_fdata() + 100) / 2)
    assert np.array_equal(grey, np.where(labels == 7, 100, np.where(labels == 9, 200, 0)))
    options = {"noise_seeds": [1, 2], "images_per_mask": 2, "keep_best": 2}
    generate(run_of(results), tmp_path / "v.nii.gz", tmp_path / "two", **options)
    names = sorted(path.name for path in (tmp_path / "two/volumes").iterdir())
    assert names == ["v_best1.nii.gz", "v_best2.nii.gz"]


def test_it_goes_on_wherever_it_was_stopped(results, png_masks, tmp_path, monkeypatch):
    trained_on_own_images(results)
    arguments = {"images_per_mask": 3, "keep_best": 1}
    generate(run_of(results), png_masks, tmp_path / "whole", **arguments)
    whole = files(tmp_path / "whole")
    assert sum(path.parts[0] == "rejected" for path in whole) == 20
    generate(run_of(results), png_masks, tmp_path / "whole", **arguments)
    assert files(tmp_path / "whole") == whole, "the same command again changes nothing"

    put = keeping._put
    calls = []

    def stopped(*place):
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        put(*place)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(keeping, "_put", stopped)
        generate(run_of(results), png_masks, tmp_path / "cut", **arguments)
    assert any((tmp_path / "cut/rejected").iterdir())
    generate(run_of(results), png_masks, tmp_path / "cut", **arguments)
    assert files(tmp_path / "cut") == whole

    for folder in ("images", "rejected"):
        sorted((tmp_path / "cut" / folder).iterdir())[2].unlink()
    generate(run_of(results), png_masks, tmp_path / "cut", **arguments)
    assert files(tmp_path / "cut") == whole


def test_another_number_or_segmenter_is_another_call(results, two_masks, tmp_path):
    trained_on_own_images(results)
    generate(run_of(results), two_masks, tmp_path / "out", images_per_mask=3, keep_best=1)
    before = files(tmp_path / "out")
    for options in ({"keep_best": 2}, {}):
        with pytest.raises(ValueError, match="is of another call"):
            generate(run_of(results), two_masks, tmp_path / "out", images_per_mask=3, **options)
    assert files(tmp_path / "out") == before


def test_a_copied_run_folder_may_hold_the_segmenter(run_folder, two_masks, tmp_path):
    save_segmenter(run_folder / "segmenter")
    generate(run_folder, two_masks, tmp_path / "out", images_per_mask=2, keep_best=1)
    assert len(list((tmp_path / "out/images").iterdir())) == 2


def evaluator(results):
    return results / "segmenters/tiny/real/seed3"


def copied_evaluator(results):
    return shutil.copytree(evaluator(results), results.parent / "mine")


def spoilt(results):
    folder = trained_on_own_images(results)
    (folder / "model.safetensors").write_bytes(b"x" * 99)
    return folder


@pytest.mark.parametrize(
    ("segmenter", "words"),
    [
        (lambda _: None, "the results hold only the evaluator of the tables; make it"),
        (evaluator, "is the evaluator, by which the tables measure"),
        (copied_evaluator, "mine is the evaluator, by which the tables measure"),
        (lambda results: save_segmenter(results / "three", 3), "three knows 3 classes, but mine has 2"),
        (run_of, "seed3 holds no segmenter, but another network"),
        (lambda results: results / "nowhere", "expected a trained segmenter, but there is none"),
        (spoilt, "its checksum is not the one in config.json"),
    ],
)
def test_segmenters_that_may_not_choose(results, two_masks, tmp_path, segmenter, words):
    named = segmenter(results)
    with pytest.raises(ValueError, match=words) as caught:
        generate(
            run_of(results), two_masks, tmp_path / "out", images_per_mask=2, keep_best=1, segmenter=named
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_run_without_results_has_no_segmenter(run_folder, two_masks, tmp_path):
    with pytest.raises(ValueError, match="the results hold none; make it"):
        generate(run_folder, two_masks, tmp_path / "out", images_per_mask=2, keep_best=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep_best": 1}, "--keep-best is 1, but of each mask 1 would be made"),
        ({"keep_best": 0, "images_per_mask": 2}, "--keep-best is 0, but of each mask 2 would be made"),
        ({"keep_best": 4, "noise_seeds": [1, 2, 3, 4]}, "but of each mask 4 would be made"),
        ({"images_per_mask": 2, "segmenter": "x"}, "--segmenter chooses the images for --keep-best"),
    ],
)
def test_numbers_that_make_no_choice_are_refused(results, two_masks, tmp_path, options, words):
    trained_on_own_images(results)
    with pytest.raises(ValueError, match=words):
        generate(run_of(results), two_masks, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
