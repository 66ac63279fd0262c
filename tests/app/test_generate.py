"""Images for masks of one's own: the pipeline's bytes, a manifest, one sentence for what cannot be done."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from PIL import Image

import generate as script
from generate import generate
from segguided.app import contact_sheet
from segguided.app.mask_inputs import read_masks
from segguided.app.run_folder import read_run
from segguided.app.validation import unlike_training
from segguided.data.formats.png import read_grey, write_grey
from segguided.data.slices import read_generated
from segguided.seals import read_sealed, write_sealed

ROOT = Path(script.__file__).parents[1]
LAS = np.array([[-2.0, 0, 0, 30], [0, 2.0, 0, -20], [0, 0, 5.0, 7], [0, 0, 0, 1]])
TURN = np.deg2rad(10)  # about y
TILTED = np.array(
    [
        [2 * np.cos(TURN), 0, 5 * np.sin(TURN), 3],
        [0, 2, 0, -20],
        [-2 * np.sin(TURN), 0, 5 * np.cos(TURN), 7],
        [0, 0, 0, 1],
    ]
)


def manifest(folder):
    with (folder / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_test_masks_give_the_very_bytes_of_the_pipelines_set(run_folder, png_masks, tmp_path):
    generate(run_folder, png_masks, tmp_path / "out")
    images_NHW, names = read_generated(tmp_path / "set.npz")
    for name, image_HW in zip(names, images_NHW, strict=True):
        assert np.array_equal(read_grey(tmp_path / "out" / "images" / f"{name}.png"), image_HW)
    rows = manifest(tmp_path / "out")
    assert [row["mask_id"] for row in rows] == sorted(names)
    assert [row["batch"] for row in rows] == ["0"] * 4 + ["1"] * 4 + ["2"] * 2
    assert all(row["seed"] == "3" for row in rows)
    weights = read_run(run_folder).facts.weights_sha256
    assert {row["weights"] for row in rows} == {weights}
    assert all('"steps": 3' in row["settings"] for row in rows)
    assert Image.open(tmp_path / "out" / "contact_sheet.png").size[1] > 500


def test_the_contact_sheet_shows_the_titles_of_run_json(run_folder, tmp_path, monkeypatch):
    facts = read_run(run_folder).facts
    assert [known.title for known in facts.classes] == ["Fibroglandular tissue", "b"]
    figures = []
    monkeypatch.setattr(contact_sheet, "save_figure", lambda figure, path: figures.append(figure))
    write_grey(tmp_path / "image.png", np.zeros((16, 16), np.uint8))
    earlier = [known.model_copy(update={"title": None}) for known in facts.classes]
    for classes in (facts.classes, earlier):
        sheet = facts.model_copy(update={"classes": classes})
        contact_sheet.write_contact_sheet(
            tmp_path / "sheet.png", [tmp_path / "image.png"], [np.ones((16, 16), np.uint8)], sheet
        )
    shown = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in figures]
    assert shown == [["Fibroglandular tissue", "b"], ["a", "b"]]


def test_the_contact_sheet_names_its_images_and_says_how_many_there_are(run_folder, tmp_path, monkeypatch):
    facts = read_run(run_folder).facts
    blocks = []
    monkeypatch.setattr(contact_sheet, "draw_blocks", blocks.extend)
    monkeypatch.setattr(contact_sheet, "save_figure", lambda figure, path: None)
    long = "patient_of_the_first_hospital_with_a_long_name_slice_"
    images = [tmp_path / f"{long}{number:02}.png" for number in range(50)]
    for image in images:
        write_grey(image, np.zeros((16, 16), np.uint8))
    masks = [np.ones((16, 16), np.uint8)] * 50
    contact_sheet.write_contact_sheet(tmp_path / "sheet.png", images, masks, facts)
    contact_sheet.write_contact_sheet(tmp_path / "sheet.png", images[:1], masks[:1], facts)
    many, one = blocks
    assert (many.title, one.title) == ("tiny, 12 of 50 images", "tiny")
    assert len(many.rows) == 12 and len(set(many.rows)) == 12
    assert (many.rows[0], many.rows[-1]) == (
        "patient_of_the_…ng_name_slice_00",
        "patient_of_the_…ng_name_slice_49",
    )
    assert all(len(lines) <= 2 for lines in many.row_lines)


def test_run_json_of_an_earlier_version_has_no_titles(run_folder):
    values = read_sealed(run_folder / "run.json")
    for known in values["classes"]:
        del known["title"]
    (run_folder / "run.json").unlink()
    write_sealed(run_folder / "run.json", values)
    assert [known.title for known in read_run(run_folder).facts.classes] == [None, None]


def test_several_seeds_or_images_a_mask_differ_and_are_named(run_folder, png_masks, tmp_path):
    mask = next(iter(sorted(png_masks.iterdir())))
    generate(run_folder, mask, tmp_path / "seeds", noise_seeds=[0, 3])
    names = sorted(path.name for path in (tmp_path / "seeds/images").iterdir())
    assert names == [f"{mask.stem}_seed0.png", f"{mask.stem}_seed3.png"]
    generate(run_folder, mask, tmp_path / "samples", images_per_mask=2)
    first, second = (read_grey(tmp_path / f"samples/images/{mask.stem}_{k}.png") for k in (0, 1))
    assert not np.array_equal(first, second)
    alone = read_grey(tmp_path / f"seeds/images/{mask.stem}_seed3.png")
    assert np.abs(first.astype(int) - alone).max() <= 1, "sample 0 has the noise of the mask id itself"


def test_a_call_that_was_stopped_goes_on_and_another_call_is_refused(run_folder, png_masks, tmp_path):
    output = tmp_path / "out"
    generate(run_folder, png_masks, output)
    whole = files(output)
    times = {path: path.stat().st_mtime_ns for path in (output / "images").iterdir()}
    lost = sorted((output / "images").iterdir())[-1]
    lost.unlink()
    generate(run_folder, png_masks, output)
    assert files(output) == whole
    same = [path for path, time in times.items() if path.stat().st_mtime_ns == time]
    assert len(same) == 8, "the batch of the lost image, two images, is made again"
    with pytest.raises(ValueError, match="is of another call: other masks, weights, seeds or settings"):
        generate(run_folder, png_masks, output, steps=2)
    assert files(output) == whole


def test_check_writes_nothing(run_folder, png_masks, tmp_path):
    generate(run_folder, png_masks, tmp_path / "out", check=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("affine", [LAS, TILTED, np.diag([2.0, 2.0, 5.0, 1.0])])
def test_a_label_volume_gives_a_volume_on_its_grid(run_folder, tmp_path, affine):
    labels_ijk = np.zeros((12, 10, 4), np.int16)
    labels_ijk[3:9, 2:8, 1] = 7
    labels_ijk[2:5, 5:8, 2] = 9
    nib.save(nib.Nifti1Image(labels_ijk, affine), tmp_path / "ct.nii.gz")
    generate(run_folder, tmp_path / "ct.nii.gz", tmp_path / "out")
    made = nib.load(tmp_path / "out/volumes/ct.nii.gz")
    assert made.shape == labels_ijk.shape
    assert np.allclose(made.affine, affine, atol=1e-4)
    values_ijk = made.get_fdata()
    has_label = labels_ijk.any((0, 1))
    assert (values_ijk[:, :, ~has_label] == -100).all(), "black is the lower end of the window"
    assert values_ijk[:, :, has_label].std() > 10
    assert values_ijk.min() >= -100 and values_ijk.max() <= 410.01
    images = [
        SimpleITK.ReadImage(str(path))
        for path in (tmp_path / "ct.nii.gz", tmp_path / "out/volumes/ct.nii.gz")
    ]
    for index in ((0, 0, 0), (11, 9, 3)):
        points = [image.TransformIndexToPhysicalPoint(index) for image in images]
        assert np.allclose(*points, atol=1e-3)
    assert len(manifest(tmp_path / "out")) == 2


def test_a_volume_shows_what_its_slices_show_where_they_show_it(run_folder, tmp_path, monkeypatch):
    """With a sampler that paints each class in a grey of its own, the volume is the label map again."""
    labels_ijk = np.zeros((16, 16, 2), np.int16)
    labels_ijk[4:12, 2:9, 0] = 7
    labels_ijk[10:14, 9:15, 1] = 9
    nib.save(nib.Nifti1Image(labels_ijk, LAS), tmp_path / "ct.nii.gz")
    monkeypatch.setattr(
        "segguided.app.generate.load_sampler", lambda *_: lambda masks, names, free: masks * 100
    )
    generate(run_folder, tmp_path / "ct.nii.gz", tmp_path / "out")
    grey_ijk = np.rint((nib.load(tmp_path / "out/volumes/ct.nii.gz").get_fdata() + 100) / 2)
    assert np.array_equal(grey_ijk, np.where(labels_ijk == 7, 100, np.where(labels_ijk == 9, 200, 0)))


def test_masks_of_another_size_are_resized_and_said_so(run_folder, tmp_path):
    mask_HW = np.zeros((20, 40), np.uint8)
    mask_HW[5:15, 10:30] = 1
    write_grey(tmp_path / "wide.png", mask_HW)
    masks = read_masks(tmp_path / "wide.png", read_run(run_folder).facts)
    assert masks.masks_NHW.shape == (1, 16, 16)
    assert masks.notes == ["wide: 40 × 20 pixels, resized to the model's 16 × 16"]
    assert masks.masks_NHW[0, 8, 8] == 1 and masks.masks_NHW[0, 1, 8] == 0


def test_many_masks_with_one_fault_share_a_sentence(run_folder, tmp_path):
    for number in range(50):
        mask_HW = np.zeros((20, 40 + number % 7), np.uint8)
        mask_HW[:3, : 3 + number % 7] = 1
        write_grey(tmp_path / "mine" / f"m{number:02}.png", mask_HW)
    facts = read_run(run_folder).facts
    masks = read_masks(tmp_path / "mine", facts)
    fifty = "50 masks (m00, m01, m02 and 47 more): "
    assert masks.notes == [
        fifty
        + "40 × 20, 41 × 20, 42 × 20, 43 × 20, 44 × 20 and 2 more pixels, resized to the model's 16 × 16"
    ]
    missing, *sentences = unlike_training(masks, facts)
    assert missing.startswith("no mask has the class b")
    assert [text.startswith(fifty) for text in sentences] == [True, True, True]
    assert "possibly upside" not in " ".join(sentences)
    area, row, column = sentences
    assert ": a covers 0.39% to 1.17% of the image, in training " in area
    assert ": the centre of a is at row " in row and ": the centre of a is at column " in column


def test_other_files_and_folders_beside_the_masks_are_named(run_folder, tmp_path):
    write_grey(tmp_path / "mine" / "m.png", np.ones((16, 16), np.uint8))
    for name in ("notes.txt", "m.jpg", ".hidden.png", "Thumbs.db"):
        (tmp_path / "mine" / name).write_bytes(b"x")
    (tmp_path / "mine" / "more").mkdir()
    masks = read_masks(tmp_path / "mine", read_run(run_folder).facts)
    assert len(masks.notes) == 1
    assert "m.jpg, more, notes.txt not used, for masks are .png" in masks.notes[0]


def test_check_counts_what_is_used_and_what_is_not(run_folder, tmp_path, caplog):
    caplog.set_level("INFO", "segguided")

    def said(path):
        generate(run_folder, path, None, check=True)
        return caplog.records[-1].getMessage()

    write_grey(tmp_path / "mine" / "k.png", np.zeros((16, 16), np.uint8))
    assert said(tmp_path / "mine/k.png") == "1 mask can be used, but it is without any class (k)"
    write_grey(tmp_path / "mine" / "l.png", np.ones((16, 16), np.uint8))
    assert said(tmp_path / "mine/l.png") == "1 mask can be used"
    assert said(tmp_path / "mine") == "2 masks can be used, but 1 is without any class (k)"
    labels_ijk = np.zeros((16, 16, 5), np.int16)
    labels_ijk[2:9, 2:9, 1:3] = 7
    nib.save(nib.Nifti1Image(labels_ijk, LAS), tmp_path / "ct.nii.gz")
    assert said(tmp_path / "ct.nii.gz") == (
        "2 masks can be used; 3 slices of volumes without any class left out"
    )


def test_masks_unlike_those_of_training_are_named(run_folder, tmp_path):
    facts = read_run(run_folder).facts
    mask_HW = np.zeros((16, 16), np.uint8)
    mask_HW[0, 0] = 2
    write_grey(tmp_path / "odd.png", mask_HW)
    write_grey(tmp_path / "odd2.png", np.zeros((16, 16), np.uint8))
    sentences = unlike_training(read_masks(tmp_path / "odd.png", facts), facts)
    assert len(sentences) == 4
    assert sentences[0] == "no mask has the class a, which 100% of the masks of training held"
    assert sentences[1].startswith("odd: b covers 0.39% of the image, in training ")
    assert sentences[2].startswith("odd: the centre of b is at row 3% of the image, in training ")
    assert unlike_training(read_masks(tmp_path / "odd2.png", facts), facts, ["a", "b"]) == [
        "odd2: without any class, so nothing guides the image"
    ]


def test_ranges_of_a_single_patient_say_so(run_folder, tmp_path):
    """By the class: the others may be of more. run.json of an earlier version counts all patients alone."""
    facts = read_run(run_folder).facts
    assert [known.patients for known in facts.classes] == [2, 2]
    mask_HW = np.zeros((16, 16), np.uint8)
    mask_HW[0, 0], mask_HW[0, 1] = 1, 2
    write_grey(tmp_path / "odd.png", mask_HW)
    masks = read_masks(tmp_path / "odd.png", facts)
    a, b = facts.classes
    of_one = facts.model_copy(update={"classes": (a.model_copy(update={"patients": 1}), b)})
    marked = {text: text.endswith(" (1 patient)") for text in unlike_training(masks, of_one)}
    assert marked and all(is_marked == (" a " in text) for text, is_marked in marked.items())
    unknown = tuple(known.model_copy(update={"patients": None}) for known in facts.classes)
    for patients, ending in ((("p",), "(1 patient)"), (("p", "qq"), "%")):
        earlier = facts.model_copy(update={"classes": unknown, "patients": {"train": patients}})
        assert all(text.endswith(ending) for text in unlike_training(masks, earlier))


def test_a_class_that_only_some_masks_have_is_not_missing(run_folder, tmp_path):
    facts = read_run(run_folder).facts
    for name, value in (("one", 1), ("two", 2)):
        write_grey(tmp_path / "mine" / f"{name}.png", np.full((16, 16), value, np.uint8))
    masks = read_masks(tmp_path / "mine", facts)
    assert not [sentence for sentence in unlike_training(masks, facts) if "no mask has" in sentence]


def spoil_json(folder):
    (folder / "run.json").write_text("{}")


def other_version(folder):
    values = {key: value for key, value in read_sealed(folder / "run.json").items() if key != "place"}
    (folder / "run.json").unlink()
    write_sealed(folder / "run.json", {key: value for key, value in values.items() if key != "kind"})


def spoil_weights(folder):
    (folder / "model.safetensors").write_bytes(b"x" * 100)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "expected the folder of a trained model, but there is none"),
        (lambda folder: (folder / "run.json").unlink(), "has no run.json"),
        (spoil_json, "run.json"),
        (other_version, "is of another version"),
        (spoil_weights, "checksum"),
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
    ],
)
def test_a_folder_that_is_no_run_is_refused(run_folder, png_masks, tmp_path, spoil, words):
    spoil(run_folder)
    with pytest.raises((ValueError, OSError), match=words):
        generate(run_folder, png_masks, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def png(value=0, size=(16, 16)):
    return lambda path: write_grey(path / "m.png", np.full(size, value, np.uint8))


def volume(labels):
    return lambda path: nib.save(nib.Nifti1Image(labels, np.eye(4)), path / "v.nii.gz")


def same_names(path):
    png(1)(path)
    Image.fromarray(np.ones((16, 16), np.uint8)).save(path / "m.PNG", format="PNG")


def same_volumes(path):
    """Other slices, but both would become volumes/v.nii.gz."""
    for ending, z in ((".nii", 0), (".nii.gz", 1)):
        labels = np.zeros((4, 4, 2), np.int16)
        labels[..., z] = 7
        nib.save(nib.Nifti1Image(labels, np.eye(4)), path / f"v{ending}")


def colour(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (16, 16, 3), np.uint8)).save(path / "m.png")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda _path: None, "expected masks .* in this folder, found none"),
        (png(3), r"its pixels have the values 3, but the model knows 0 background, 1 a, 2 b"),
        (colour, "expected 8-bit greyscale"),
        (lambda path: (path / "m.png").write_bytes(b"no picture"), "m.png"),
        (
            volume(np.full((4, 4, 2), 8, np.int16)),
            "its voxels have the labels 8, but the model knows .* 7 a, 9 b",
        ),
        (volume(np.zeros((4, 4, 2), np.int16)), "is empty: no voxel is labelled"),
        (volume(np.full((4, 4, 2), 7.5, np.float32)), "v.nii.gz"),
        (volume(np.full((4, 4, 2, 2), 7, np.int16)), "v.nii.gz"),
        (same_names, "m"),
        (same_volumes, "two masks would be called v; rename one of the files"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(run_folder, tmp_path, write, words):
    folder = tmp_path / "mine"
    folder.mkdir()
    write(folder)
    before = files(folder)
    with pytest.raises(ValueError, match=words):
        generate(run_folder, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert files(folder) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"images_per_mask": 0}, "0 images of each mask were asked for; ask for 1 or more"),
        ({"noise_seeds": [1, 1]}, "the noise seeds are 1, 1; give different numbers from 0"),
        ({"noise_seeds": [-1]}, "the noise seeds are -1"),
        ({"steps": 0}, "0 sampling steps were asked for"),
        ({"steps": 2000}, "2000 sampling steps were asked for, but the noise schedule has 1000 timesteps"),
        ({"free": ["liver"]}, "liver cannot be free: the model's classes are a, b"),
        ({"absent": ["liver"]}, "liver cannot be absent: the model's classes are a, b"),
    ],
)
def test_options_that_cannot_be_met_are_refused(run_folder, png_masks, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        generate(run_folder, png_masks, tmp_path / "out", **options, check=True)
    assert not (tmp_path / "out").exists()


def test_other_paths_and_folders_are_refused(run_folder, png_masks, tmp_path):
    with pytest.raises(ValueError, match="expected masks, a file or a folder, but there is none"):
        generate(run_folder, tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(
        ValueError, match=r"expected a mask as \.png, \.nii, \.nii\.gz, \.seg\.nrrd or DICOM-SEG"
    ):
        generate(run_folder, tmp_path / "a.txt", tmp_path / "out")
    with pytest.raises(ValueError, match="OUTPUT is missing"):
        generate(run_folder, png_masks, None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match=r"is not empty and has no manifest\.csv, so its files are not ours"):
        generate(run_folder, png_masks, tmp_path / "full")
    assert (tmp_path / "full" / "thesis.tex").read_text() == "x"


def test_free_classes_of_a_model_without_a_completer_are_left_to_it(run_folder, png_masks, tmp_path):
    mask = next(iter(sorted(png_masks.iterdir())))
    generate(run_folder, mask, tmp_path / "whole")
    generate(run_folder, mask, tmp_path / "free", free=["a"])
    whole, free = (read_grey(tmp_path / name / "images" / f"{mask.stem}.png") for name in ("whole", "free"))
    assert not np.array_equal(whole, free)
    assert not (tmp_path / "free" / "masks").exists()


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(run_folder, png_masks, tmp_path):
    command = [sys.executable, ROOT / "scripts/generate.py", run_folder, png_masks]
    options = [
        "--images-per-mask",
        "6",
        "--steps",
        "150",
    ]  # eighteen batches, each slow enough to be stopped in
    process = subprocess.Popen(
        [*map(str, command), tmp_path / "cut", *options], stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "cut/manifest.csv").is_file():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    words = process.communicate()[1]
    assert process.returncode == 1
    assert words.strip().splitlines()[-1].endswith("the same command runs again")
    assert "Traceback" not in words
    rows = manifest(tmp_path / "cut")
    assert 4 <= len(rows) < 60
    finished = {tmp_path / "cut" / row["image"] for row in rows}
    times = {path: path.stat().st_mtime_ns for path in finished}
    for path in (tmp_path / "cut").rglob("*.*"):
        assert path.name == "manifest.csv" or read_grey(path).shape == (16, 16), "no half-written file"

    for folder in ("cut", "whole"):
        subprocess.run([*map(str, command), tmp_path / folder, *options], check=True, capture_output=True)
    assert {path: path.stat().st_mtime_ns for path in finished} == times, "made again"
    whole = {path.relative_to(tmp_path / "whole"): text for path, text in files(tmp_path / "whole").items()}
    assert len(whole) == 60 + 2
    assert {
        path.relative_to(tmp_path / "cut"): text for path, text in files(tmp_path / "cut").items()
    } == whole


def test_the_command_ends_in_one_sentence(run_folder, tmp_path):
    command = [
        sys.executable,
        ROOT / "scripts/generate.py",
        run_folder,
        tmp_path / "nowhere",
        tmp_path / "out",
    ]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "nowhere: expected masks" in result.stderr
