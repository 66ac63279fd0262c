"""The pretrained start: the empty prompt equals CLIP's, and what is missing is said in one sentence."""

import pytest
import torch
from diffusers import AutoencoderKL
from huggingface_hub import constants

from segguided.config.models.controlnet import Pretrained
from segguided.models.controlnet.autoencoder import start_autoencoder
from segguided.models.controlnet.empty_prompt import empty_prompt, encode_tokens
from segguided.models.controlnet.latent import start_denoiser
from segguided.models.controlnet.stable_diffusion import load_part
from support.sd_layout import TEXT, text_weights, write_pipeline


@pytest.fixture
def pipeline(tmp_path):
    return str(write_pipeline(tmp_path / "sd"))


def test_empty_prompt_equals_transformers_clip(pipeline):
    """The numbers are CLIPTextModel's of transformers 5.24.0 for the same weights and tokens."""
    prompt_1LD = empty_prompt(pipeline)
    assert prompt_1LD.shape == (1, 7, 8)
    expected = torch.tensor(
        [
            [0.104577, 0.169818, 0.409408, 0.290528],
            [0.098321, 0.166055, 0.406640, 0.286107],
            [0.095797, 0.041813, 0.411396, 0.161381],
        ]
    )
    assert torch.allclose(prompt_1LD[0, [0, 1, 6], :4], expected, atol=2e-6)


def test_other_text_encoders_are_refused():
    weights = {name.removeprefix("text_model."): value for name, value in text_weights().items()}
    with pytest.raises(ValueError, match="expected a text encoder with quick_gelu or gelu, got relu"):
        encode_tokens(torch.tensor([10, 11]), weights, {**TEXT, "hidden_act": "relu"})


def test_pretrained_networks_keep_their_weights(pipeline):
    start = Pretrained(kind="pretrained", source=pipeline)
    vae = start_autoencoder(start)
    saved = AutoencoderKL.from_pretrained(pipeline, subfolder="vae")
    assert all(torch.equal(a, b) for a, b in zip(vae.parameters(), saved.parameters(), strict=True))
    assert vae.config["scaling_factor"] == 0.5
    denoiser = start_denoiser(start, 2)
    assert torch.equal(denoiser.prompt_1LD, empty_prompt(pipeline))
    for batch in (1, 2):
        x_BCHW = torch.randn(batch, 2, 8, 8)
        mask_BHW = torch.zeros(batch, 16, 16)
        prediction_BCHW = denoiser(x_BCHW, torch.arange(batch), mask_BHW)
        assert prediction_BCHW.shape == x_BCHW.shape
        prediction_BCHW.sum().backward()
    with pytest.raises(ValueError, match="takes 2 channels, but the autoencoder's latents have 4"):
        start_denoiser(start, 4)


def test_an_unreachable_hub_leaves_two_choices(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://user:s3cret@127.0.0.1:9")
    with pytest.raises(ValueError, match="no local folder and its vae/ could not be fetched") as caught:
        load_part("someone/pipeline", "vae", AutoencoderKL)
    message = str(caught.value)
    assert "someone/pipeline" in message and "s3cret" not in message
    assert "ConnectError: [Errno 111] Connection refused" in message
    assert "set init.source to a local folder with the pipeline, or init to {kind: scratch" in message
    assert "\n" not in message


def test_a_folder_without_the_part_or_its_weights_is_refused(pipeline, tmp_path):
    with pytest.raises(ValueError, match=r"has no folder vae/; set init\.source"):
        load_part(str(tmp_path), "vae", AutoencoderKL)
    (tmp_path / "sd/vae/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"vae does not hold a AutoencoderKL .*; set init\.source"):
        load_part(pipeline, "vae", AutoencoderKL)
