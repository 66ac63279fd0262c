"""train_autoencoder: resumed bit for bit; a pretrained start is where it starts."""

import json

import pytest
from safetensors.torch import load_file

from segguided.models.controlnet.autoencoder import AutoencoderLearner
from support.latent_stages import Stages, interrupted_then_resumed
from support.sd_layout import write_pipeline


def test_interrupted_then_resumed_gives_the_same_bytes(tmp_path, monkeypatch):
    interrupted_then_resumed(Stages(tmp_path), "autoencoder", AutoencoderLearner, monkeypatch)


def test_a_pretrained_autoencoder_is_fine_tuned(tmp_path):
    source = write_pipeline(tmp_path / "sd")
    output = Stages(tmp_path / "run", source).train("autoencoder")
    before = load_file(source / "vae/diffusion_pytorch_model.safetensors")
    after = load_file(output)
    name = "decoder.conv_out.weight"
    assert before.keys() == after.keys()
    assert 0 < (before[name] - after[name]).abs().max() < 0.02
    description = json.loads(output.with_name("config.json").read_text())
    assert description["autoencoder"]["scaling_factor"] == 0.5
    assert description["training"]["images"] == 24
    assert description["training"]["flops"] > 0
    assert output.with_name("history.csv").read_text().startswith("epoch,step,loss,reconstruction,kl\n")


def test_an_unknown_source_is_named_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"is no local folder and its vae/ could not be fetched"):
        Stages(tmp_path, tmp_path / "nowhere").train("autoencoder")
