# ruff: noqa: E501 (a table of sentences)
"""Imported models give, to the bit, the images of plain diffusers; a folder that does not fit is named."""

import json
import re
import subprocess

import pytest
import torch
from diffusers import DDIMScheduler
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from generate_diffusion import generate_diffusion
from import_model import import_model
from segguided.config.models.diffusion import NoiseSchedule
from segguided.config.models.unet import Unet
from segguided.data.slices import Stack, read_generated, write_stack
from segguided.generation.diffusion import load_denoiser
from segguided.models import importing
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.masks import MaskEncoder
from segguided.training.storage import read_description
from support.foreign_unet import SIZE, foreign, imported
from support.plain_diffusers import (  # noqa: F401 - masks and noise are fixtures
    CPU,
    NAMES,
    SMALL,
    ddim_scheduler,
    five_steps,
    masks,
    noise,
    run_script,
    sample_here,
    sample_with_diffusers,
    small_model,
)


@pytest.mark.parametrize("conditioning", ["index255", "none"])
def test_an_imported_folder_gives_the_images_of_plain_diffusers(
    tmp_path, noise_BCHW, masks_BHW, conditioning
):
    channels = {"index255": 2, "none": 1}[conditioning]
    unet = foreign(tmp_path / "theirs", in_channels=channels)
    weights = tmp_path / "run" / "model.safetensors"
    import_model(imported(tmp_path / "theirs", conditioning), 3, SIZE, 0, weights)
    expected = sample_with_diffusers(unet, ddim_scheduler(), noise_BCHW, masks_BHW, conditioning)
    images = sample_here(weights, noise_BCHW, masks_BHW)
    assert torch.equal(images, expected)
    assert images.std() > 0.1
    swapped = sample_here(weights, noise_BCHW, masks_BHW.flip(0))
    assert torch.equal(swapped, images) == (conditioning == "none")


@pytest.mark.parametrize("conditioning", ["onehot", "onehot_free"])
def test_masks_of_one_channel_a_class_are_read_as_our_own_models_read_them(
    tmp_path, noise_BCHW, masks_BHW, conditioning
):
    encoder = MaskEncoder(conditioning, 3)
    unet = foreign(tmp_path / "theirs", in_channels=1 + encoder.channels)
    weights = tmp_path / "run" / "model.safetensors"
    import_model(imported(tmp_path / "theirs", conditioning), 3, SIZE, 0, weights)
    network, _ = load_denoiser(weights, CPU)
    t_B = torch.full((len(masks_BHW),), 400)
    with torch.no_grad():
        expected = unet(torch.cat([noise_BCHW, encoder(masks_BHW)], 1), t_B).sample
        assert torch.equal(network(noise_BCHW, t_B, masks_BHW), expected)


def test_prediction_type_and_schedule_are_followed(tmp_path, noise_BCHW, masks_BHW):
    unet = foreign(tmp_path / "theirs")
    weights = tmp_path / "run" / "model.safetensors"
    schedule = NoiseSchedule(beta_start=0.001, beta_end=0.01)
    model = imported(tmp_path / "theirs", prediction_type="v_prediction", schedule=schedule)
    import_model(model, 3, SIZE, 0, weights)
    scheduler = ddim_scheduler(
        prediction_type="v_prediction", beta_start=0.001, beta_end=0.01, timestep_spacing="trailing"
    )
    expected = sample_with_diffusers(unet, scheduler, noise_BCHW, masks_BHW)
    assert torch.equal(sample_here(weights, noise_BCHW, masks_BHW, "trailing"), expected)


def test_generation_writes_an_imported_models_images_under_the_masks_names(tmp_path, noise_BCHW, masks_BHW):
    unet = foreign(tmp_path / "theirs")
    weights = tmp_path / "run" / "model.safetensors"
    import_model(imported(tmp_path / "theirs"), 3, SIZE, 3, weights)
    assert (tmp_path / "run/history.csv").read_text() == "\n"
    assert read_description(weights)["kind"] == "imported"
    masks_SHW = masks_BHW.numpy()
    for patient, rows, ids in (("a", slice(0, 2), None), ("b", slice(2, 3), ("b_slice_7",))):
        stack = Stack(
            patient,
            masks_SHW[rows],
            masks_SHW[rows],
            torch.arange(2.0)[: len(masks_SHW[rows])].numpy(),
            {},
            ids,
        )
        write_stack(tmp_path / f"{patient}.npz", stack)
    output = tmp_path / "test.npz"
    generate_diffusion(weights, five_steps(), [[tmp_path / "b.npz", tmp_path / "a.npz"]], [output], 3)
    images, names = read_generated(output)
    assert names == NAMES
    expected = sample_with_diffusers(unet, ddim_scheduler(), noise_BCHW, masks_BHW)
    apart = images.astype(int) - (expected[:, 0] * 127.5 + 127.5).round().numpy().astype(int)
    assert abs(apart).max() <= 1  # batches of two and one instead of three


def test_weights_come_as_one_file_of_any_name_a_bin_or_with_old_attention_names(
    tmp_path, masks_BHW, noise_BCHW
):
    foreign(tmp_path / "theirs")
    usual = tmp_path / "theirs/unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(usual)
    import_model(imported(tmp_path / "theirs"), 3, SIZE, 0, tmp_path / "usual" / "model.safetensors")
    expected = (tmp_path / "usual/model.safetensors").read_bytes()
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {
        re.sub(r"(to_[qkv]|to_out\.0)(?=\.\w+$)", lambda m: old[m[1]], name): value
        for name, value in tensors.items()
    }
    assert len(set(tensors) - set(renamed)) > 8
    usual.unlink()
    for number, (name, save, content) in enumerate(
        [
            ("ddim-breast_mri-256-segguided.safetensors", save_file, tensors),
            ("diffusion_pytorch_model.bin", torch.save, tensors),
            ("diffusion_pytorch_model.safetensors", save_file, renamed),
        ]
    ):
        path = tmp_path / "theirs/unet" / name
        save(content, path)
        weights = tmp_path / str(number) / "model.safetensors"
        import_model(imported(tmp_path / "theirs/unet"), 3, SIZE, 0, weights)
        assert weights.read_bytes() == expected
        path.unlink()


def test_a_config_of_the_papers_time_gives_the_papers_unet(tmp_path):
    """As diffusers 0.21 wrote it: without the keys of later versions."""
    levels = ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"]
    config = {
        "_class_name": "UNet2DModel",
        "_diffusers_version": "0.21.4",
        "_name_or_path": "elsewhere/unet",
        "act_fn": "silu",
        "add_attention": True,
        "attention_head_dim": 8,
        "block_out_channels": [128, 128, 256, 256, 512, 512],
        "center_input_sample": False,
        "class_embed_type": None,
        "down_block_types": levels,
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": 2,
        "layers_per_block": 2,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": 32,
        "num_class_embeds": None,
        "out_channels": 1,
        "resnet_time_scale_shift": "default",
        "sample_size": 256,
        "time_embedding_type": "positional",
        "up_block_types": [name.replace("Down", "Up") for name in reversed(levels)],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    paper = Unet(channels=(128, 128, 256, 256, 512, 512), attention_levels=(4,))
    with torch.device("meta"):
        unet = importing._build(tmp_path / "config.json", imported(tmp_path), 2, 256)
        own = MaskedDenoiser(small_model().model_copy(update={"unet": paper}), 3, 256).unet
    assert sum(p.numel() for p in unet.parameters()) == 113_669_761
    assert [(n, p.shape) for n, p in unet.named_parameters()] == [
        (n, p.shape) for n, p in own.named_parameters()
    ]


def test_weights_without_a_config_need_the_architecture_in_the_settings(tmp_path):
    torch.manual_seed(0)
    network = MaskedDenoiser(small_model(), 3, SIZE)
    (tmp_path / "unet").mkdir()
    save_file(network.unet.state_dict(), tmp_path / "unet" / "published.safetensors")
    weights = tmp_path / "run/model.safetensors"
    import_model(imported(tmp_path, unet=SMALL), 3, SIZE, 0, weights)
    loaded, _ = load_denoiser(weights, CPU)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network.parameters(), strict=True))
    with pytest.raises(ValueError, match=r"config\.json: expected the UNet's diffusers configuration"):
        import_model(imported(tmp_path), 3, SIZE, 0, weights)
    with pytest.raises(ValidationError, match="patch is 2, but a UNet from elsewhere sees whole pixels"):
        imported(tmp_path, unet=SMALL.model_copy(update={"patch": 2}).model_dump())


def spoil_config(**changes):
    def spoil(unet):
        path = unet / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return spoil


def spoil_file(name, content):
    return lambda unet: (unet / name).write_bytes(content)


def state_scheduler(unet):
    DDIMScheduler(prediction_type="v_prediction").save_pretrained(unet.parent / "scheduler")


def save_code(unet):
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({"a": subprocess.Popen}, unet / "diffusion_pytorch_model.bin")


def save_numbers(unet):
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({"step": 3}, unet / "diffusion_pytorch_model.bin")


def rename_and_double(unet):
    for name in ("a", "b"):
        save_file({}, unet / f"{name}.safetensors")
    (unet / "diffusion_pytorch_model.safetensors").unlink()


MISTAKES = [
    (lambda unet: (unet / "config.json").unlink(), {}, "config.json: expected the UNet's diffusers config"),
    (spoil_file("config.json", b"{"), {}, "config.json is no JSON"),
    (spoil_file("config.json", b"[]"), {}, "expected a section of keys with values, got list"),
    (spoil_config(_class_name="UNet2DConditionModel"), {}, "describes a UNet2DConditionModel, expected a UNet2DModel"),
    (spoil_config(down_block_types=["x", "y"]), {}, "describes no UNet that diffusers can build"),
    (None, {"conditioning": "none"}, "takes 2 channels and gives 1, but conditioning: none needs 1 and 1"),
    (spoil_config(in_channels=4, out_channels=3), {}, "takes 4 channels and gives 3, but conditioning: index255"),
    (spoil_config(sample_size=32), {}, "made for images of 32 pixels, but the dataset's image_size is 16"),
    (spoil_config(sample_size=[16, 32]), {}, "made for images of [16, 32] pixels"),
    (spoil_config(num_class_embeds=3), {}, "the UNet wants class labels, which nothing here gives"),
    (state_scheduler, {}, "states prediction_type v_prediction, but the model's settings say epsilon"),
    (spoil_config(layers_per_block=1), {}, "does not fit the UNet that"),
    (spoil_file("diffusion_pytorch_model.safetensors", b"12345678"), {}, "safetensors is damaged"),
    (lambda unet: (unet / "diffusion_pytorch_model.safetensors").unlink(), {}, "found none; add them"),
    (rename_and_double, {}, "or the shards of one, got a.safetensors, b.safetensors; call the wanted one"),
    (save_code, {}, "a pickle with code in it, which is never run"),
    (save_numbers, {}, "expected tensors by name, got other values"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "changes", "message"), MISTAKES)
def test_a_folder_that_does_not_fit_is_named(tmp_path, spoil, changes, message):
    foreign(tmp_path / "theirs")
    if spoil:
        spoil(tmp_path / "theirs" / "unet")
    with pytest.raises(ValueError, match=re.escape(message)):
        import_model(imported(tmp_path / "theirs", **changes), 3, SIZE, 0, tmp_path / "run/model.safetensors")
    assert not (tmp_path / "run").exists()


def test_an_image_size_the_levels_cannot_halve_is_named(tmp_path):
    foreign(tmp_path / "theirs", sample_size=None)
    with pytest.raises(ValueError, match="halves images 1 times, but the dataset's image_size is 17"):
        import_model(imported(tmp_path / "theirs"), 3, 17, 0, tmp_path / "run/model.safetensors")


def test_the_scripts_end_in_one_sentence(tmp_path):
    settings = imported(tmp_path / "absent").to_json()
    numbers = ["--n-classes", 3, "--image-size", SIZE, "--seed", 0]
    done = run_script(
        "import_model", "--model", settings, *numbers, "--output", tmp_path / "run/model.safetensors"
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"error: {tmp_path}/absent: expected a folder with unet/config.json")
    done = run_script("import_model", "--model", '{"kind":"imported"}', *numbers, "--output", "x")
    assert done.returncode == 2
    assert "not the settings of a ImportedModel (folder: " in done.stderr
