"""train_latent_diffusion: resumed bit for bit; the scale of latents is measured, or kept with its UNet."""

import json

import torch
from safetensors.torch import load_file

from segguided.models.controlnet.empty_prompt import empty_prompt
from segguided.models.controlnet.latent import LatentLearner
from support.latent_stages import Stages, interrupted_then_resumed
from support.sd_layout import write_pipeline


def test_interrupted_then_resumed_gives_the_same_bytes_and_measures_the_scale(tmp_path, monkeypatch):
    stages = Stages(tmp_path)
    stages.train("autoencoder")
    interrupted_then_resumed(stages, "latent", LatentLearner, monkeypatch)
    description = json.loads(stages.weights("latent").with_name("config.json").read_text())
    assert description["scaling_factor"] != 0.18215  # diffusers' default
    assert description["prompt_shape"] == [1, 1, 8]


def test_a_pretrained_unet_keeps_its_scale_and_prompt(tmp_path):
    source = write_pipeline(tmp_path / "sd")
    stages = Stages(tmp_path / "run", source)
    stages.train("autoencoder")
    output = stages.train("latent")
    description = json.loads(output.with_name("config.json").read_text())
    weights = load_file(output)
    assert description["scaling_factor"] == 0.5
    assert torch.equal(weights["prompt_1LD"], empty_prompt(str(source)))
    before = load_file(source / "unet/diffusion_pytorch_model.safetensors")
    assert 0 < (before["conv_in.weight"] - weights["unet.conv_in.weight"]).abs().max() < 0.02
