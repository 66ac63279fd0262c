"""Checkpoints are safetensors with a config beside them; wrong ones are refused in one sentence."""

import pytest
import torch
from torch import nn

from segguided.training.storage import load_weights, read_description, save_network

CPU = torch.device("cpu")


def test_round_trip(tmp_path):
    network = nn.Linear(3, 2)
    save_network(network, tmp_path / "model.safetensors", {"size": 3})
    loaded = load_weights(nn.Linear(3, 2), tmp_path / "model.safetensors", CPU)
    assert read_description(tmp_path / "model.safetensors")["size"] == 3
    assert torch.equal(loaded.weight, network.weight)
    assert not loaded.training


def test_whoever_reads_the_folder_may_read_the_weights(tmp_path):
    save_network(nn.Linear(3, 2), tmp_path / "model.safetensors", {})
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


def test_same_weights_same_bytes(tmp_path):
    network = nn.Linear(3, 2)
    for name in ("a", "b"):
        save_network(network, tmp_path / name / "model.safetensors", {})
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def test_other_architecture_and_damage_are_refused(tmp_path):
    weights = tmp_path / "model.safetensors"
    save_network(nn.Linear(3, 2), weights, {})
    with pytest.raises(ValueError, match="does not fit"):
        load_weights(nn.Linear(4, 2), weights, CPU)
    weights.write_bytes(weights.read_bytes()[:20])
    with pytest.raises(ValueError, match="is damaged"):
        load_weights(nn.Linear(3, 2), weights, CPU)


def test_missing_config_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json is missing"):
        read_description(tmp_path / "model.safetensors")
