# ruff: noqa: E501 (a table of sentences)
"""Each mistake in a call of `segguided start` gets its own sentence, and leaves everything as it was."""

import gzip

import numpy as np
import pytest
from PIL import Image

from support.command_refusals import refusal_of
from support.own_folders import SHAPE, dicom_folder, image_of, label_map, nifti_folder, png_folder, save_nifti


def call(home, *options):
    return [home / "data", "--output", home / "out", *options]


def each_mask(change):
    """Four patients as NIfTI, each of whose masks `change` has written again."""

    def words(home):
        nifti_folder(home / "data")
        for path in (home / "data").glob("*_seg.nii.gz"):
            change(path)
        return call(home)

    return words


def each_image(change):
    """The same for the images."""

    def words(home):
        nifti_folder(home / "data")
        for path in (home / "data").glob("p?.nii.gz"):
            change(path)
        return call(home)

    return words


def files(**contents):
    """A folder of these files, with underscores for dots."""

    def words(home):
        (home / "data").mkdir()
        for name, content in contents.items():
            (home / "data" / name.replace("_", ".")).write_bytes(content)
        return call(home)

    return words


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def saved(array, **spacing):
    return lambda path: save_nifti(path, array, **spacing)


def png_masks(write):
    def words(home):
        png_folder(
            home / "data", lambda patient, k: (f"images/{patient}_{k}.png", f"masks/{patient}_{k}.png")
        )
        for path in (home / "data/masks").iterdir():
            write(path)
        return call(home)

    return words


def no_masks(home):
    folder = nifti_folder(home / "data", 0)
    for name in ("a", "b", "c", "d"):
        folder.add(name, mask=False)
    return call(home)


def masks_alone(home):
    nifti_folder(home / "data")
    for path in (home / "data").glob("p?.nii.gz"):
        path.unlink()
    return call(home)


def dicom_without_masks(home):
    dicom_folder(home / "data")
    for path in (home / "data").rglob("*.nrrd"):
        path.unlink()
    return call(home)


def dicom_truncated(home):
    dicom_folder(home / "data")
    for path in (home / "data").rglob("*.nrrd"):
        cut(path)
    return call(home)


def broken_links(home):
    (home / "data").mkdir()
    (home / "data/a.nii.gz").symlink_to(home / "gone.nii.gz")
    (home / "data/a_seg.nii.gz").symlink_to(home / "gone_seg.nii.gz")
    return call(home)


def with_output(prepare, name="out"):
    def words(home):
        nifti_folder(home / "data")
        prepare(home)
        return [home / "data", "--output", home / name]

    return words


def fewer(count):
    def words(home):
        nifti_folder(home / "data", count)
        return call(home)

    return words


def a_file(home):
    (home / "data").write_text("x")
    return call(home)


def nothing(home):
    """The output is not there."""


def put(path):
    path.parent.mkdir()
    path.write_text("mine")


def linked(home):
    (home / "out").mkdir()
    (home / "out/mine.yaml").symlink_to(home / "gone")


MASK = label_map((1, 2))
COLOURED = np.random.default_rng(0).integers(0, 9, (24, 24, 3), np.uint8)
NO_FILE = "data: no NIfTI, DICOM or PNG file is there, so nothing was written; expected image and mask of each patient"
ALONE = " files none is an image with a mask, so nothing was written; expected image and mask of each patient"
LABELS = "data/p0_seg.nii.gz: expected whole-number labels from 0 to 4294967295, got "

# By what is wrong: the call, and the sentence or the part of it that tells it from others: the last one, or, where
# no patient can be used, the one on the first patient before that.
CASES = {
    "no folder there": (call, "data: expected a folder of images and masks, but there is none; correct its name"),
    "a file": (a_file, "data: expected a folder of images and masks, got a file; name the folder it is in"),
    "an empty folder": (files(), "data: nothing is there, so nothing was written"),
    "texts": (files(notes_txt=b"x"), NO_FILE),
    "JPEG files": (files(a_jpg=b"x", b_jpg=b"y"), "files that the pipeline does not read: 2 .jpg; convert them"),
    "a packed folder": (files(all_zip=b"PK"), "1 packed file not looked into (all.zip): unpack, and run this again"),
    "images alone": (no_masks, f"data: of 4 NIfTI, 0 DICOM and 0 PNG{ALONE}"),
    "masks alone": (masks_alone, f"data: of 4 NIfTI, 0 DICOM and 0 PNG{ALONE}"),
    "DICOM without masks": (dicom_without_masks, "the DICOM folders have no masks: expected .seg.nrrd, DICOM-SEG or RTSTRUCT files"),
    "half a .seg.nrrd": (dicom_truncated, "mr1/seg_mr1.seg.nrrd: left out, it ends within its header"),
    "two patients": (fewer(2), "expected at least 3 patients that can be used, got 2 patients: one trains"),
    "fractions for labels": (each_mask(saved(MASK * 0.5)), f"{LABELS}0.5 at voxel (1, 3, 1); is this the image"),
    "no numbers for labels": (each_mask(saved(np.where(MASK, np.nan, 0.0))), f"{LABELS}nan at voxel"),
    "negative labels": (each_mask(saved(-MASK.astype(np.int16))), f"{LABELS}-1 at voxel"),
    "images for masks": (each_mask(saved(image_of(MASK, 0).astype(np.float32) / 7)), f"{LABELS}-140"),
    "masks in time": (each_mask(saved(np.stack([MASK, MASK], -1))), "it is no 3-D volume, got shape (20, 18, 14, 2)"),
    "one slice": (each_mask(saved(MASK[:, :, 0])), "it is no 3-D volume, got shape (20, 18); extract one volume first"),
    "no label at all": (each_mask(saved(MASK * 0)), "patient p0 left out: no voxel of its mask is labelled; fix the mask"),
    "masks of another size": (each_mask(saved(label_map((1, 2), (10, 18, 14)))), "patient p0 left out: image and mask do not fit"),
    "half a mask": (each_mask(cut), "data/p0_seg.nii.gz: expected a complete NIfTI file, but it is truncated or damaged"),
    "half an image": (each_image(cut), "data/p0.nii.gz: expected a complete NIfTI file, but it is truncated or damaged"),
    "a packed text": (each_image(lambda path: path.write_bytes(gzip.compress(b"x"))), "it is of an unknown form, or damaged at its beginning"),
    "empty images": (each_image(lambda path: path.write_bytes(b"")), "(it ends within its header); get it again"),
    "no numbers in images": (each_image(saved(np.full(SHAPE, np.nan))), "5040 voxels are NaN or infinite, the first at z=0, y=0, x=0"),
    "images in time": (each_image(saved(np.stack([MASK * 1.0, MASK * 2.0], -1))), "data/p0.nii.gz: expected a NIfTI file of grey values"),
    "images of one value": (each_image(saved(np.full(SHAPE, 7, np.int16))), "patient p0 left out: all voxels of its image are 7"),
    "coloured masks": (png_masks(lambda path: Image.fromarray(COLOURED).save(path)), "ann_0.png: expected 8-bit greyscale, got 8-bit RGB with unequal channels"),
    "16-bit masks": (png_masks(lambda path: Image.fromarray(np.full((24, 24), 300, np.uint16)).save(path)), "ann_0.png: expected 8-bit greyscale, got 16-bit greyscale"),
    "texts as PNG": (png_masks(lambda path: path.write_text("x")), "ann_0.png: expected a whole PNG file, got a damaged or another file"),
    "PNG masks of another size": (png_masks(lambda path: Image.fromarray(np.ones((12, 24), np.uint8)).save(path)), "ann_0.png: has 24 × 24 pixels, but its mask 24 × 12; make them equal"),
    "links to nothing": (broken_links, "data/a.nii.gz: a link that leads to no file; correct or remove it"),
    "a file for the output": (with_output(lambda home: (home / "out").write_text("x")), "out: expected a folder for the configuration, got a file"),
    "an output below a file": (with_output(lambda home: (home / "file").write_text("x"), "file/out"), "file/out/mine.tsv: Not a directory; a part of its path is a file"),
    "an output among the data": (with_output(nothing, "data/out"), "data/out: is in the folder of the data, in which nothing is changed"),
    "the data's folder for the output": (with_output(nothing, "data"), "data: is in the folder of the data, in which nothing is changed"),
    "an output that is there": (with_output(lambda home: put(home / "out/mine.tsv")), "out/mine.tsv: exists already, and nothing is overwritten"),
    "a link for the output": (with_output(linked), "out/mine.yaml: exists already, and nothing is overwritten"),
    "an output of two lines": (with_output(nothing, "o\nut"), "holds a line break or another control character; rename it"),
    "no name after --output": (lambda home: [home, "--output"], "argument --output: expected one argument"),
    "no folder named": (lambda home: [], "the following arguments are required: folder"),
    "an unknown option": (lambda home: call(home, "--overwrite"), "unrecognized arguments: --overwrite"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_one_sentence_and_changes_nothing(tmp_path, capsys, case):
    words, sentence = CASES[case]
    said, before = refusal_of(["start", *words(tmp_path)], tmp_path, capsys)
    assert sentence in said or ("nothing was written" in said and sentence in before)
