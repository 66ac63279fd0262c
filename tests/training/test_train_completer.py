"""The script train_completer, and completed masks from its weights."""

import numpy as np
import pytest
import torch

from segguided.config.models.completer import MaskCompleter
from segguided.data.slices import Stack, read_slices, write_stack
from segguided.generation.masks.completion import load_completer
from segguided.seals import read_sealed
from segguided.training import ranks
from segguided.training.storage import check_trained_on
from support.completers import tiny_completer
from train_completer import command_line, train_completer


def write_slices(path, preparation):
    """A patient of eight masks with two classes."""
    masks_SHW = np.zeros((8, 16, 16), np.uint8)
    masks_SHW[:, 4:12, 4:12] = 1
    masks_SHW[:, 6:9, 6:9] = 2
    provenance = {"classes": ["outer", "inner"], "preparation": preparation}
    write_stack(path, Stack(path.stem, masks_SHW * 90, masks_SHW, np.arange(8.0), provenance))
    return path


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    return write_slices(tmp_path_factory.mktemp("slices") / "p.npz", "one")


@pytest.fixture(scope="module")
def weights(slices, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "completers/d/m/seed0"
    train_completer([slices], tiny_completer(steps=20), 2, True, 0, folder / "model.safetensors")
    return folder / "model.safetensors"


def test_it_writes_weights_settings_cost_and_the_loss_of_each_stage(weights):
    description = read_sealed(weights.with_name("config.json"))
    assert description["mirror"] is True
    assert description["training"]["images"] == 20 * 4
    assert description["training"]["flops"] > 0
    header, first, *_, last = weights.with_name("history.csv").read_text().splitlines()
    assert header == "epoch,step,loss,cells_of_4,cells_of_1"
    assert float(last.split(",")[2]) < float(first.split(",")[2])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(slices, weights, tmp_path):
    for seed in (0, 1):
        output = tmp_path / f"seed{seed}" / "model.safetensors"
        output.parent.mkdir()
        train_completer([slices], tiny_completer(steps=20), 2, True, seed, output)
        assert (output.read_bytes() == weights.read_bytes()) is (seed == 0)


def test_more_gpus_than_groups_of_masks_are_refused(slices, tmp_path, monkeypatch):
    settings = tiny_completer(steps=1).model_dump()
    settings["stages"][1]["one_in"] = 4
    monkeypatch.setattr(ranks, "count", lambda: 3)
    with pytest.raises(ValueError, match="a batch of 1 slices cannot be shared by 3 GPUs; ask for at most 1"):
        train_completer(
            [slices], MaskCompleter.model_validate(settings), 2, True, 0, tmp_path / "model.safetensors"
        )
    assert not list(tmp_path.iterdir())


def test_the_loaded_completer_fills_in_a_class(slices, weights):
    masks_BHW = torch.from_numpy(read_slices([slices]).masks)
    names = [str(number) for number in range(8)]
    completed_BHW = load_completer(weights, 0)(masks_BHW, names, (2,))
    assert torch.equal(completed_BHW == 1, masks_BHW == 1)
    other_seed_BHW = load_completer(weights, 1)(masks_BHW, names, (1, 2))
    assert not torch.equal(load_completer(weights, 0)(masks_BHW, names, (1, 2)), other_seed_BHW)


def test_it_knows_what_it_was_trained_on(slices, weights, tmp_path):
    check_trained_on(weights, read_slices([slices]))
    others = write_slices(tmp_path / "q.npz", "another")
    with pytest.raises(ValueError, match="settings"):
        check_trained_on(weights, read_slices([others]))


def test_weights_in_the_place_of_another_dataset_are_refused(weights, tmp_path):
    other = tmp_path / "completers/other/m/seed0"
    other.parent.mkdir(parents=True)
    weights.parent.rename(other)
    try:
        with pytest.raises(ValueError, match="in the wrong place: it was written as completers/d/m/seed0"):
            load_completer(other / "model.safetensors", 0)
    finally:
        other.rename(weights.parent)


def test_weights_of_another_network_are_refused(weights, tmp_path):
    with pytest.raises(ValueError, match=r"config\.json is missing"):
        load_completer(tmp_path / "model.safetensors", 0)


def test_the_command_line_reads_the_settings():
    words = ["--slices", "p.npz", "--seed", "0", "--output", "w", "--n-classes", "2", "--mirror"]
    read = command_line().parse_args(["--completer", tiny_completer(steps=3).to_json(), *words])
    assert read.completer == tiny_completer(steps=3)
    assert read.mirror
