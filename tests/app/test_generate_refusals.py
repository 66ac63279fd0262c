# ruff: noqa: E501 (a table of sentences)
"""Each mistake in a call of `segguided generate` gets its own sentence, and leaves everything as it was."""

import gzip
import json
import shutil
import struct
import zlib

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from app.conftest import settings
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.data.formats.png import write_grey
from segguided.models.segmenter import build_segmenter
from segguided.seals import write_sealed
from segguided.training.storage import save_network
from support.command_refusals import refusal_of
from support.tiny_sets import tiny_denoiser, write_two_sets
from write_run import write_run

GRID = np.eye(4)
COLOURED = np.random.default_rng(0).integers(0, 3, (16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder with its run.json; it is copied for each call."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "run").mkdir()
    _, paths = write_two_sets(tiny_denoiser(), folder / "run")
    (folder / "list.txt").write_text("".join(f"{path}\n" for path in paths))
    lists = [folder / "list.txt"] * 2
    write_run(settings(), folder / "run/model.safetensors", paths, *lists, folder / "run/run.json")
    return folder / "run"


@pytest.fixture
def home(trained, tmp_path):
    """What a user has: `run`, a folder `masks` with two masks, and the mask `one.png`."""
    shutil.copytree(trained, tmp_path / "run")
    for name in ("masks/a", "masks/b", "one"):
        write_grey(tmp_path / f"{name}.png", squares())
    return tmp_path


def squares():
    mask_HW = np.zeros((16, 16), np.uint8)
    mask_HW[2:12, 2:12] = 1
    mask_HW[5:8, 5:8] = 2
    return mask_HW


def volume(values, dtype=np.float32, shape=(16, 16, 3)):
    array = np.zeros(shape, dtype)
    array[2:12, 2:12] = values
    return nib.Nifti1Image(array, GRID)


def with_mask(write, name="m.png"):
    """A call for one mask file, which `write` writes."""

    def words(home):
        write(home / name)
        return [home / "run", home / name, home / "out"]

    return words


def with_volume(image):
    """A call for one NIfTI volume."""
    return with_mask(lambda path: nib.save(image, path), "m.nii.gz")


def with_run(spoil):
    """A call for the two masks with a run folder that `spoil` has changed."""

    def words(home):
        spoil(home / "run")
        return [home / "run", home / "masks", home / "out"]

    return words


def with_options(*options):
    """A call that differs by its options."""
    return lambda home: [home / "run", home / "masks", home / "out", *options]


def with_output(place):
    """A call that writes to `place(home)`."""
    return lambda home: [home / "run", home / "masks", place(home)]


def with_masks(place):
    """A call for the masks at `place(home)`."""
    return lambda home: [home / "run", place(home), home / "out"]


def folder_of(*names, content=b""):
    def place(home):
        (home / "mine").mkdir()
        for name in names:
            (home / "mine" / name).write_bytes(content)
        return home / "mine"

    return place


def twice(home):
    shutil.copy(home / "masks/a.png", home / "masks/a.PNG")
    return home / "masks"


def broken_link(home):
    (home / "mine").mkdir()
    (home / "mine/a.png").symlink_to(home / "gone.png")
    return home / "mine"


def cut(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def image(array):
    return lambda path: Image.fromarray(array).save(path)


def sixteen_bit_rgb(path):
    """As ImageMagick writes it; Pillow cannot."""
    rows = b"".join(b"\0" + bytes(16 * 6) for _ in range(16))
    header = struct.pack(">2I5B", 16, 16, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def truncated_png(path):
    write_grey(path, squares())
    cut(path)


def truncated_volume(path):
    nib.save(volume(7, np.int16, (64, 64, 20)), path)
    cut(path)


def packed_text(path):
    path.write_bytes(gzip.compress(b"no volume"))


def edited_run(**changes):
    """run.json with other values, sealed as if it had been written so."""

    def spoil(run):
        facts = json.loads((run / "run.json").read_text())
        facts.pop("seal")
        (run / "run.json").unlink()
        write_sealed(run / "run.json", facts | changes)

    return spoil


def changed_by_hand(run):
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace("My model", "Your model"))


def of_a_segmenter(run):
    """In place of the run folder that of a segmenter."""
    shutil.rmtree(run)
    plain = Segmenter(channels=(4, 8), training=Training(steps=1, batch_size=1, learning_rate=1))
    save_network(
        build_segmenter(plain, 2),
        run / "model.safetensors",
        {"segmenter": plain.model_dump(), "n_classes": 2},
    )


def other_manifest(text):
    def place(home):
        (home / "out").mkdir()
        (home / "out/manifest.csv").write_text(text)
        return home / "out"

    return place


def a_file(home):
    (home / "out").write_text("mine")
    return home / "out"


def below_a_file(home):
    (home / "file").write_text("mine")
    return home / "file/out"


def not_ours(home):
    (home / "out").mkdir()
    (home / "out/notes.txt").write_text("mine")
    return home / "out"


NOT_OURS = "is not empty and has no manifest.csv, so its files are not ours; name another folder"
NONE_THERE = "found none; name another"
DAMAGED_PNG = "m.png: expected a whole PNG file, got a damaged or another file ("
LABELS = "m.nii.gz: expected whole-number labels from 0 to 4294967295, got "
DAMAGED = "m.nii.gz: expected a NIfTI file of grey values, but it is of an unknown form, or damaged at its beginning"
COPY = "copy the folder run from the results again, or let the pipeline make the file"
IN_MASKS = "is in the folder of the masks, in which nothing is changed; name another folder"
OF_ANOTHER_CALL = (
    "image,mask,slice,seed,sample,mask_id,batch,call,weights,settings\nimages/a.png,a,,3,0,a,x,0,w,{}\n"
)

# By what is wrong: the call, and the sentence or the part of it that tells it from others.
CASES = {
    "no masks there": (with_masks(lambda home: home / "nowhere"), "nowhere: expected masks, a file or a folder, but there is none"),
    "an empty folder": (with_masks(folder_of()), NONE_THERE),
    "a folder of other files": (with_masks(folder_of("notes.txt", "a.jpg")), NONE_THERE),
    "a text for a mask": (with_mask(lambda path: path.write_text("x"), "m.txt"), "m.txt: expected a mask as .png, .nii, .nii.gz"),
    "a link to nothing": (with_masks(broken_link), "a.png: a link that leads to no file; correct or remove it"),
    "an empty PNG": (with_mask(lambda path: path.write_bytes(b"")), f"{DAMAGED_PNG}its first bytes are b''"),
    "a text as PNG": (with_mask(lambda path: path.write_text("x" * 99)), f"{DAMAGED_PNG}its first bytes are b'xxx"),
    "a JPEG as PNG": (with_mask(lambda path: Image.fromarray(squares()).save(path, "JPEG")), f"{DAMAGED_PNG}its first bytes"),
    "half a PNG": (with_mask(truncated_png), f"{DAMAGED_PNG}it is cut short); get it again"),
    "16-bit RGB": (with_mask(sixteen_bit_rgb), "m.png: expected 8-bit greyscale, got 16-bit RGB; save it as 8-bit greyscale"),
    "16-bit grey": (with_mask(image(np.full((16, 16), 300, np.uint16))), "m.png: expected 8-bit greyscale, got 16-bit greyscale"),
    "a coloured mask": (with_mask(image(COLOURED)), "got 8-bit RGB with unequal channels; save it"),
    "a transparent mask": (with_mask(image(np.ones((16, 16, 4), np.uint8))), "m.png: expected 8-bit greyscale, got 8-bit RGBA"),
    "0 to 255 for classes": (with_mask(lambda path: write_grey(path, squares() * 100)), "its pixels have the values 100, 200, but the model knows 0 background, 1 a, 2 b"),
    "fractions for labels": (with_volume(volume(7.5)), f"{LABELS}7.5 at voxel (2, 2, 0); is this the image, or a map of probabilities"),
    "no numbers for labels": (with_volume(volume(np.nan)), f"{LABELS}nan at voxel"),
    "negative labels": (with_volume(volume(-7, np.int16)), f"{LABELS}-7 at voxel"),
    "a mask in time": (with_volume(volume(7, np.int16, (16, 16, 3, 2))), "but it is no 3-D volume, got shape (16, 16, 3, 2)"),
    "no label at all": (with_volume(volume(0, np.int16)), "m.nii.gz is empty: no voxel is labelled; name another volume"),
    "values for labels": (with_volume(volume(1, np.int16)), "its voxels have the labels 1, but the model knows 0 background, 7 a, 9 b"),
    "half a volume": (with_mask(truncated_volume, "m.nii.gz"), "it is truncated or damaged (it ends in the middle); get it again"),
    "a text as NIfTI": (with_mask(lambda path: path.write_text("x"), "m.nii.gz"), DAMAGED),
    "a packed text": (with_mask(packed_text, "m.nii.gz"), DAMAGED),
    "a text as NRRD": (with_mask(lambda path: path.write_text("x"), "m.seg.nrrd"), "m.seg.nrrd: expected an NRRD file, but it is of an unknown form"),
    "a text as DICOM": (with_mask(lambda path: path.write_text("x"), "m.dcm"), "m.dcm: expected a complete DICOM file, but it is truncated, damaged or no DICOM"),
    "two masks of one name": (with_masks(twice), "masks: two masks would be called a; rename one of the files"),
    "a name of two lines": (with_mask(lambda path: write_grey(path, squares()), "m\n1.png"), "the name holds a control character; rename the file"),
    "a file for the run": (lambda home: [home / "one.png", home / "masks", home / "out"], "one.png: expected the folder of a trained model, got a file"),
    "no run there": (lambda home: [home / "nowhere", home / "masks", home / "out"], "expected the folder of a trained model, but there is none"),
    "masks and run exchanged": (lambda home: [home / "masks", home / "run", home / "out"], "masks has no run.json, so nothing says what its classes are"),
    "no run.json": (with_run(lambda run: (run / "run.json").unlink()), "run has no run.json"),
    "an empty run.json": (with_run(lambda run: (run / "run.json").write_text("")), "run.json is damaged (not JSON: Expecting value"),
    "half a run.json": (with_run(lambda run: cut(run / "run.json")), COPY),
    "a list for run.json": (with_run(lambda run: (run / "run.json").write_text("[]")), f"run.json holds no checksum, so another version wrote it; {COPY}"),
    "a run.json changed by hand": (with_run(changed_by_hand), f"run.json is damaged (its content is not that of its checksum); {COPY}"),
    "a newer run.json": (with_run(edited_run(format=2)), "run.json is of another version (its format is 2, this version reads 1)"),
    "another key in run.json": (with_run(edited_run(colour_map="x")), "run.json is of another version (colour_map: Extra inputs are not permitted)"),
    "another kind of model": (with_run(edited_run(kind="gan")), "is of the kind gan, which this version does not know"),
    "no weights": (with_run(lambda run: (run / "model.safetensors").unlink()), "model.safetensors: expected the model's weights, but there are none; copy them here"),
    "half the weights": (with_run(lambda run: cut(run / "model.safetensors")), f"model.safetensors is damaged (its checksum is not the one in config.json beside it); {COPY}"),
    "no config.json": (with_run(lambda run: (run / "config.json").unlink()), "config.json is missing: a checkpoint needs its config.json beside it"),
    "half a config.json": (with_run(lambda run: cut(run / "config.json")), f"; {COPY}"),
    "a segmenter for the model": (with_run(of_a_segmenter), "run has no run.json"),
    "a file for the output": (with_output(a_file), "out: expected a folder for the images, but "),
    "an output below a file": (with_output(below_a_file), "file is no folder; name another"),
    "an output of other files": (with_output(not_ours), NOT_OURS),
    "the masks' folder for the output": (with_output(lambda home: home / "masks"), f"masks: {IN_MASKS}"),
    "an output among the masks": (with_output(lambda home: home / "masks/out"), f"masks/out: {IN_MASKS}"),
    "the run for the output": (with_output(lambda home: home / "run"), f"run {NOT_OURS}"),
    "an empty manifest": (with_output(other_manifest("")), "manifest.csv: expected a comma-separated table with the columns"),
    "another table for the manifest": (with_output(other_manifest("a,b\n1,2\n")), "manifest.csv, line 1: expected a comma-separated table with the columns"),
    "another call's manifest": (with_output(other_manifest(OF_ANOTHER_CALL)), "manifest.csv is of another call: other masks, weights, seeds or settings"),
    "no output": (lambda home: [home / "run", home / "masks"], "OUTPUT is missing: name the folder for the images, or give --check"),
    "no image a mask": (with_options("--images-per-mask", "0"), "0 images of each mask were asked for; ask for 1 or more"),
    "a word for a number": (with_options("--images-per-mask", "two"), "argument --images-per-mask: invalid int value: 'two'"),
    "images and seeds": (with_options("--images-per-mask", "2", "--noise-seeds", "1"), "argument --noise-seeds: not allowed with argument --images-per-mask"),
    "a negative seed": (with_options("--noise-seeds", "-1"), "the noise seeds are -1; give different numbers from 0"),
    "a seed twice": (with_options("--noise-seeds", "1", "1"), "the noise seeds are 1, 1; give different numbers from 0"),
    "no seed": (with_options("--noise-seeds"), "argument --noise-seeds: expected at least one argument"),
    "an unknown free class": (with_options("--free", "liver"), "liver cannot be free: the model's classes are a, b"),
    "a title for a class": (with_options("--free", "Fibroglandular tissue"), "Fibroglandular tissue cannot be free: the model's classes are a, b"),
    "commas alone": (with_options("--free", ","), "argument --free: expected names of classes with commas between, got ','"),
    "an unknown absent class": (with_options("--absent", "a, liver"), "liver cannot be absent: the model's classes are a, b"),
    "no step": (with_options("--steps", "0"), "0 sampling steps were asked for; ask for 1 or more"),
    "too many steps": (with_options("--steps", "1001"), "but the noise schedule has 1000 timesteps; ask for fewer"),
    "half a step": (with_options("--steps", "1.5"), "argument --steps: invalid int value: '1.5'"),
    "none kept": (with_options("--keep-best", "0", "--images-per-mask", "3"), "--keep-best is 0, but of each mask 3 would be made"),
    "all kept": (with_options("--keep-best", "3", "--images-per-mask", "3"), "--keep-best is 3, but of each mask 3 would be made"),
    "a segmenter for nothing": (with_options("--segmenter", "x"), "--segmenter chooses the images for --keep-best; give that too, or neither"),
    "nothing to choose by": (with_options("--images-per-mask", "3", "--keep-best", "1"), "--keep-best needs a segmenter that was trained on generated images"),
    "no segmenter there": (with_options("--images-per-mask", "3", "--keep-best", "1", "--segmenter", "nowhere"), "nowhere/model.safetensors: expected a trained segmenter, but there is none"),
    "no thread": (with_options("--threads", "0"), "argument --threads: expected 1 or more, got 0"),
    "an unknown option": (with_options("--image-per-masks", "2"), "unrecognized arguments: --image-per-masks 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_one_sentence_and_changes_nothing(home, capsys, case):
    words, sentence = CASES[case]
    said, _ = refusal_of(["generate", *words(home)], home, capsys)
    assert sentence in said
