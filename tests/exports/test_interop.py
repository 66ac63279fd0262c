# ruff: noqa: E501 (a table of sentences)
"""Imported and exported models draw, to the bit, what plain diffusers draws; other folders are named."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from export_model import export_model
from generate_diffusion import generate_diffusion
from import_model import import_model
from segguided.config.models.diffusion import DiffusionModel, NoiseSchedule, Unet
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.slices import Stack, read_generated, write_stack
from segguided.generation.diffusion import load_denoiser
from segguided.generation.sampling import initial_noise, make_scheduler, sample
from segguided.models import importing
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.signals import to_images
from segguided.training.storage import read_description, save_network
from support.foreign_unet import SIZE, foreign, imported

SCRIPTS = Path(__file__).parents[2] / "scripts"
CPU, STEPS, NAMES = torch.device("cpu"), 5, ["a_slice_0", "a_slice_1", "b_slice_7"]
SMALL = Unet(channels=(8, 16), norm_groups=4, layers_per_block=1, attention_levels=(1,))


def sampling(spacing="leading", batch_size=2):
    return Sampling(
        sampler="ddim", steps=STEPS, timestep_spacing=spacing, batch_size=batch_size, precision="fp32"
    )


@pytest.fixture(name="masks_BHW")
def masks():
    return torch.randint(0, 4, (len(NAMES), SIZE, SIZE), generator=torch.Generator().manual_seed(1)).byte()


@pytest.fixture(name="noise_BCHW")
def noise():
    return initial_noise(3, NAMES, SIZE)


def plain(unet, scheduler, x_BCHW, masks_BHW, conditioning="index255"):
    """Sampling as one writes it with diffusers alone."""
    for t in scheduler.timesteps:
        inputs = [x_BCHW] if conditioning == "none" else [x_BCHW, masks_BHW.unsqueeze(1) / 255]
        with torch.no_grad():
            eps = unet(torch.cat(inputs, dim=1), t).sample
        x_BCHW = scheduler.step(eps, t, x_BCHW).prev_sample
    return x_BCHW.clamp(-1, 1)


def ours(weights, noise_BCHW, masks_BHW, spacing="leading"):
    network, model = load_denoiser(weights, CPU)
    return sample(network, make_scheduler(model, sampling(spacing)), noise_BCHW, masks_BHW)


def ddim(**settings):
    scheduler = DDIMScheduler(num_train_timesteps=1000, **settings)
    scheduler.set_timesteps(STEPS)
    return scheduler


# Import


@pytest.mark.parametrize("conditioning", ["index255", "none"])
def test_an_imported_folder_draws_what_plain_diffusers_draws(tmp_path, noise_BCHW, masks_BHW, conditioning):
    channels = {"index255": 2, "none": 1}[conditioning]
    unet = foreign(tmp_path / "theirs", in_channels=channels)
    weights = tmp_path / "run" / "model.safetensors"
    import_model(imported(tmp_path / "theirs", conditioning), 3, SIZE, 0, weights)
    expected = plain(unet, ddim(), noise_BCHW, masks_BHW, conditioning)
    drawn = ours(weights, noise_BCHW, masks_BHW)
    assert torch.equal(drawn, expected)
    assert drawn.std() > 0.1
    swapped = ours(weights, noise_BCHW, masks_BHW.flip(0))
    assert torch.equal(swapped, drawn) == (conditioning == "none")


def test_prediction_type_and_schedule_are_followed(tmp_path, noise_BCHW, masks_BHW):
    unet = foreign(tmp_path / "theirs")
    weights = tmp_path / "run" / "model.safetensors"
    schedule = NoiseSchedule(beta_start=0.001, beta_end=0.01)
    model = imported(tmp_path / "theirs", prediction_type="v_prediction", schedule=schedule)
    import_model(model, 3, SIZE, 0, weights)
    scheduler = ddim(
        prediction_type="v_prediction", beta_start=0.001, beta_end=0.01, timestep_spacing="trailing"
    )
    expected = plain(unet, scheduler, noise_BCHW, masks_BHW)
    assert torch.equal(ours(weights, noise_BCHW, masks_BHW, "trailing"), expected)


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
    generate_diffusion(weights, sampling(), [[tmp_path / "b.npz", tmp_path / "a.npz"]], [output], 3)
    images, names = read_generated(output)
    assert names == NAMES
    expected = plain(unet, ddim(), noise_BCHW, masks_BHW)
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
        own = MaskedDenoiser(trainable().model_copy(update={"unet": paper}), 3, 256).unet
    assert sum(p.numel() for p in unet.parameters()) == 113_669_761
    assert [(n, p.shape) for n, p in unet.named_parameters()] == [
        (n, p.shape) for n, p in own.named_parameters()
    ]


def test_weights_without_a_config_need_the_architecture_in_the_settings(tmp_path):
    torch.manual_seed(0)
    network = MaskedDenoiser(trainable(), 3, SIZE)
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


def call(script, *arguments):
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_scripts_end_in_one_sentence(tmp_path):
    settings = imported(tmp_path / "absent").to_json()
    numbers = ["--n-classes", 3, "--image-size", SIZE, "--seed", 0]
    done = call("import_model", "--model", settings, *numbers, "--output", tmp_path / "run/model.safetensors")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"error: {tmp_path}/absent: expected a folder with unet/config.json")
    done = call("import_model", "--model", '{"kind":"imported"}', *numbers, "--output", "x")
    assert done.returncode == 2
    assert "not the settings of a ImportedModel (folder: " in done.stderr


# Export


def trainable(conditioning="index255", patch=1, prediction_type="epsilon"):
    return DiffusionModel(
        kind="diffusion",
        conditioning=conditioning,
        prediction_type=prediction_type,
        unet=SMALL.model_copy(update={"patch": patch}),
        training=Training(steps=1, batch_size=1, learning_rate=1),
    )


def trained(folder, model):
    """The run folder of a model with random weights."""
    torch.manual_seed(0)
    description = {"kind": "diffusion", "model": model.model_dump(), "n_classes": 3, "image_size": SIZE}
    save_network(MaskedDenoiser(model, 3, SIZE), folder / "model.safetensors", description)
    return folder / "model.safetensors"


@pytest.mark.parametrize("conditioning", ["index255", "none"])
def test_an_exported_model_draws_in_plain_diffusers_what_it_draws_here(
    tmp_path, noise_BCHW, masks_BHW, conditioning
):
    weights, folder = trained(tmp_path / "run", trainable(conditioning)), tmp_path / "export"
    export_model(weights, "leading", folder / "README.md")
    unet = UNet2DModel.from_pretrained(folder, subfolder="unet").eval()
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    scheduler.set_timesteps(STEPS)
    drawn = ours(weights, noise_BCHW, masks_BHW)
    assert torch.equal(drawn, plain(unet, scheduler, noise_BCHW, masks_BHW, conditioning))
    assert drawn.std() > 0.1


@pytest.mark.parametrize(
    ("conditioning", "patch", "prediction_type", "spacing"),
    [
        ("none", 1, "epsilon", "leading"),
        ("none", 2, "sample", "trailing"),
        ("index255", 1, "v_prediction", "linspace"),
        ("onehot", 1, "epsilon", "leading"),
        ("onehot", 2, "sample", "trailing"),
    ],
)
def test_the_lines_on_the_page_draw_the_same_images(
    tmp_path, monkeypatch, noise_BCHW, masks_BHW, conditioning, patch, prediction_type, spacing
):
    weights = trained(tmp_path / "run", trainable(conditioning, patch, prediction_type))
    page = tmp_path / "export" / "README.md"
    export_model(weights, spacing, page)
    lines = re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[1]
    lines = lines.replace("set_timesteps(50)", f"set_timesteps({STEPS})")
    monkeypatch.setattr(torch, "randn", lambda *shape: noise_BCHW[: shape[0]])
    scope = {"folder": page.parent, "mask": masks_BHW}
    exec(lines, scope)
    drawn = to_images(ours(weights, noise_BCHW, masks_BHW, spacing))
    assert torch.equal(scope["images"][:, 0], drawn)
    assert drawn.float().std() > 10
    assert ("pixel_unshuffle`)" in page.read_text()) == (patch > 1)


def test_export_then_import_gives_the_same_images_and_export_the_same_bytes(tmp_path, noise_BCHW, masks_BHW):
    weights = trained(tmp_path / "run", trainable())
    for name in ("first", "second"):
        export_model(weights, "leading", tmp_path / name / "README.md")
    files = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*")]
    assert len(files) == 4
    assert all((tmp_path / "first" / f).read_bytes() == (tmp_path / "second" / f).read_bytes() for f in files)
    back = tmp_path / "back" / "model.safetensors"
    import_model(imported(tmp_path / "first"), 3, SIZE, 0, back)
    assert torch.equal(ours(back, noise_BCHW, masks_BHW), ours(weights, noise_BCHW, masks_BHW))
    export_model(back, "leading", tmp_path / "third" / "README.md")
    unet = Path("unet/diffusion_pytorch_model.safetensors")
    assert (tmp_path / "third" / unet).read_bytes() == (tmp_path / "first" / unet).read_bytes()


def test_a_model_of_another_kind_is_refused(tmp_path):
    weights = tmp_path / "model.safetensors"
    save_network(torch.nn.Linear(1, 1), weights, {"kind": "spade", "n_classes": 3})
    done = call(
        "export_model", "--weights", weights, "--timestep-spacing", "leading", "--readme", tmp_path / "R.md"
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("is a spade model; expected an image-space diffusion model")
