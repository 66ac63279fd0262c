"""Every kind of model that the pipeline trains, used by generate: the bytes of the pipeline's own sets."""

import shutil

import numpy as np
import pytest

from generate import generate
from generate_partial import generate_partial
from segguided.data.formats.png import read_grey, write_grey
from segguided.data.slices import Stack, read_generated, read_slices, write_stack
from support.run_folders import KINDS, SEED, square_masks
from write_run import write_run

from .conftest import settings


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory):
    """The folder of a run of each kind; beside it the slices `p.npz` and `set.npz`, the pipeline's set."""
    kind, train, pipeline_script, sampling = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    masks_SHW = square_masks(6)
    slices = folder / "p.npz"
    positions = np.arange(6.0)
    write_stack(slices, Stack("p", masks_SHW * 100, masks_SHW, positions, {"classes": ["a", "b"]}))
    weights = folder / "run/model.safetensors"
    weights.parent.mkdir()
    train(slices, weights)
    (folder / "list.txt").write_text(f"{slices}\n")
    facts = settings(kind=kind, seed=SEED, sampling=sampling.model_dump(mode="json"))
    completer = weights.parent / "completer/model.safetensors"
    lists = (folder / "list.txt", folder / "list.txt")
    write_run(
        facts, weights, [slices], *lists, folder / "run/run.json", completer if completer.is_file() else None
    )
    pipeline_script(weights, sampling, [[slices]], [folder / "set.npz"], SEED)
    slice_set = read_slices([slices])
    for name, mask_HW in zip(slice_set.names, slice_set.masks, strict=True):
        write_grey(folder / "masks" / f"{name}.png", np.ascontiguousarray(mask_HW))
    return folder


def images_in(folder):
    return {path.stem: read_grey(path) for path in sorted((folder / "images").iterdir())}


def test_its_images_are_those_of_the_pipelines_set(trained, tmp_path):
    generate(trained / "run", trained / "masks", tmp_path / "out")
    images_NHW, names = read_generated(trained / "set.npz")
    made = images_in(tmp_path / "out")
    assert sorted(made) == sorted(names)
    for name, image_HW in zip(names, images_NHW, strict=True):
        np.testing.assert_array_equal(made[name], image_HW)
    assert images_NHW.std() > 0, "a uniform image would agree with anything"


def test_a_copy_of_the_folder_is_enough(trained, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(trained / "run", copy)
    mask = sorted((trained / "masks").iterdir())[0]
    generate(copy, mask, tmp_path / "copied")
    generate(trained / "run", mask, tmp_path / "own")
    assert np.array_equal(images_in(tmp_path / "copied")[mask.stem], images_in(tmp_path / "own")[mask.stem])


def test_several_images_of_a_mask_differ_or_are_refused(trained, tmp_path):
    mask = sorted((trained / "masks").iterdir())[0]
    options = {"noise_seeds": [0, 1]}
    if trained.name.startswith(("spade", "mat-spade", "regression")):
        with pytest.raises(ValueError, match="mine makes the same image of a mask each time"):
            generate(trained / "run", mask, tmp_path / "out", **options)
        return
    generate(trained / "run", mask, tmp_path / "out", **options)
    first, second = images_in(tmp_path / "out").values()
    assert not np.array_equal(first, second)


def test_free_classes_are_filled_in_left_to_the_network_or_refused(trained, tmp_path):
    output = tmp_path / "out"
    if trained.name.startswith(("spade", "regression", "controlnet")):
        with pytest.raises(ValueError, match="always follows whole masks"):
            generate(trained / "run", trained / "masks", output, free=["b"])
        assert not output.exists()
        return
    generate(trained / "run", trained / "masks", output, free=["b"])
    whole, names = read_generated(trained / "set.npz")
    made = images_in(output)
    assert any(not np.array_equal(made[name], image) for name, image in zip(names, whole, strict=True))
    assert (output / "masks").exists() == trained.name.startswith("segguided-plus")


def test_every_kind_generates_from_partial_masks(trained, tmp_path):
    """Two images of each mask: of the whole one, as in the pipeline's set, and of one without class 2."""
    weights = trained / "run/model.safetensors"
    sampling = KINDS[trained.name.rstrip("0123456789")][3]
    generate_partial(weights, [trained / "p.npz"], sampling, 2, [[1]], 6, 2, SEED, tmp_path / "partial.npz")
    whole_SHW, names = read_generated(trained / "set.npz")
    with np.load(tmp_path / "partial.npz") as partial:
        images = dict(zip(partial["names"].tolist(), partial["images"], strict=True))
        masks = dict(zip(partial["names"].tolist(), partial["masks"], strict=True))
    assert len(images) == 6 * 2 * 2
    for name, image_HW in zip(names, whole_SHW, strict=True):
        assert np.abs(images[f"{name}/all/0"].astype(int) - image_HW).max() <= 1
        assert not (masks[f"{name}/1/0"] == 2).any()
    follows = [not np.array_equal(images[f"{name}/1/0"], images[f"{name}/all/0"]) for name in names]
    assert any(follows) != trained.name.startswith("controlnet"), "it begins as a model that sees no mask"


@pytest.mark.parametrize("trained", ["segguided-plus"], indirect=True)
def test_completed_masks_are_those_of_the_pipelines_partial_set(trained, tmp_path):
    """The pipeline's set is of the masks with two classes: all six."""
    weights, completer = (trained / "run" / name / "model.safetensors" for name in ("", "completer"))
    generate_partial(
        weights, [trained / "p.npz"], KINDS["segguided-plus"][3], 2, [[1]], 6, 2, SEED,
        tmp_path / "partial.npz", completer=completer,
    )  # fmt: skip
    with np.load(tmp_path / "partial.npz") as partial:
        images = dict(zip(partial["names"].tolist(), partial["images"], strict=True))
        masks = dict(zip(partial["names"].tolist(), partial["masks"], strict=True))
    output = tmp_path / "out"
    generate(trained / "run", trained / "masks", output, images_per_mask=2, free=["b"])
    for name in read_slices([trained / "p.npz"]).names:
        for sample in (0, 1):
            mask_HW = masks[f"{name}/1/{sample}"]
            file = f"{name}_{sample}.png"
            np.testing.assert_array_equal(read_grey(output / "masks" / file), mask_HW)
            np.testing.assert_array_equal(read_grey(output / "images" / file), images[f"{name}/1/{sample}"])
            is_kept_HW = read_grey(trained / "masks" / f"{name}.png") == 1
            np.testing.assert_array_equal(mask_HW == 1, is_kept_HW)


@pytest.mark.parametrize("trained", ["segguided-plus"], indirect=True)
def test_a_missing_completer_is_named(trained, tmp_path):
    copy = shutil.copytree(trained / "run", tmp_path / "run")
    shutil.rmtree(copy / "completer")
    with pytest.raises(ValueError, match="the mask completer of mine is missing; copy the folder"):
        generate(copy, trained / "masks", tmp_path / "out", free=["b"])
    generate(copy, trained / "masks", tmp_path / "out")
    assert len(images_in(tmp_path / "out")) == 6
