"""Masks that lie as training's would upside down or mirrored get a hint; those of training never do."""

import nibabel as nib
import numpy as np
import pytest

from app.conftest import settings
from generate import generate
from segguided.app.mask_inputs import read_masks
from segguided.app.run_folder import read_run
from segguided.app.validation import unlike_training
from segguided.data.formats.png import write_grey
from segguided.data.slices import Stack, write_stack
from support.tiny_sets import tiny_denoiser, write_two_sets
from write_run import write_run

PATIENTS = 4


def body(rng):
    """Class 1 low in the image and off its middle, class 2 higher; elsewhere in each mask."""
    mask_HW = np.zeros((16, 16), np.uint8)
    y, x = rng.integers(0, 3, 2)
    mask_HW[9 + y : 14 + y, 1 + x : 5 + x] = 1
    mask_HW[2 + y : 4 + y, 2 + x : 4 + x] = 2
    return mask_HW


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder, and the masks that it was trained on, 40 of 4 patients."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "run").mkdir()
    write_two_sets(tiny_denoiser(), folder / "run")
    rng = np.random.default_rng(0)
    masks = [np.stack([body(rng) for _ in range(10)]) for _ in range(PATIENTS)]
    paths = [folder / f"p{number}.npz" for number in range(PATIENTS)]
    for path, masks_SHW in zip(paths, masks, strict=True):
        write_stack(path, Stack(path.stem, masks_SHW, masks_SHW, np.arange(10.0), {"classes": ["a", "b"]}))
    (folder / "list.txt").write_text(f"{paths[0]}\n")
    lists = [folder / "list.txt"] * 2
    write_run(settings(), folder / "run/model.safetensors", paths, *lists, folder / "run/run.json")
    return folder / "run", np.concatenate(masks)


def hints(trained, folder, masks):
    """The hints for masks (N, H, W) as PNG files."""
    for number, mask_HW in enumerate(masks):
        write_grey(folder / f"m{number:02}.png", np.ascontiguousarray(mask_HW))
    facts = read_run(trained[0]).facts
    return [text for text in unlike_training(read_masks(folder, facts), facts) if "possibly" in text]


def test_the_masks_of_training_get_none_together_and_alone(trained, tmp_path):
    assert hints(trained, tmp_path / "all", trained[1]) == []
    for number, mask_HW in enumerate(trained[1]):
        assert hints(trained, tmp_path / str(number), [mask_HW]) == []


TURNED = {
    "upside down": (lambda masks: masks[:, ::-1], ["upside down"]),
    "mirrored": (lambda masks: masks[:, :, ::-1], ["mirrored left to right"]),
    "both": (lambda masks: masks[:, ::-1, ::-1], ["upside down", "mirrored left to right"]),
}


@pytest.mark.parametrize(("turn", "said"), TURNED.values(), ids=TURNED)
def test_turned_masks_get_one_sentence_an_axis(trained, tmp_path, turn, said):
    of_all = hints(trained, tmp_path / "all", turn(trained[1]))
    assert len(of_all) == len(said)
    for text, words in zip(of_all, said, strict=True):
        assert text.startswith(f"40 masks (m00, m01, m02 and 37 more): possibly {words}, by where a")
    alone = hints(trained, tmp_path / "one", turn(trained[1][:1]))
    assert [text.partition(",")[0] for text in alone] == [f"m00: possibly {words}" for words in said]


def test_a_few_turned_masks_among_many_are_not_enough(trained, tmp_path):
    """They are named by where their classes lie."""
    assert hints(trained, tmp_path / "all", np.concatenate([trained[1][:30], trained[1][30:, ::-1]])) == []


def test_each_volume_is_judged_by_itself_and_images_are_made_all_the_same(trained, tmp_path, caplog):
    labels = np.array([0, 7, 9], np.int16)
    (tmp_path / "masks").mkdir()
    for name, masks in (("right", trained[1][:10]), ("turned", trained[1][:10, ::-1])):
        labels_ijk = np.ascontiguousarray(labels[masks].transpose(2, 1, 0))
        affine = np.diag([-2.0, -2.0, 5.0, 1.0])  # LPS in NIfTI's own axes
        nib.save(nib.Nifti1Image(labels_ijk, affine), tmp_path / f"masks/{name}.nii.gz")
    generate(trained[0], tmp_path / "masks", tmp_path / "out")
    said = [record.getMessage() for record in caplog.records if "possibly" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("10 masks (turned_slice_0, ") and "upside down" in said[0]
    assert len(list((tmp_path / "out/images").iterdir())) == 20
