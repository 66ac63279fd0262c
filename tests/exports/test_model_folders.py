"""Exported models give in plain diffusers, to the bit, the images that they give here."""

import re
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel

from export_model import export_model
from import_model import import_model
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.signals import to_images
from segguided.training.storage import save_network
from support.foreign_unet import SIZE, imported
from support.plain_diffusers import (  # noqa: F401 - masks and noise are fixtures
    NAMES,
    STEPS,
    masks,
    noise,
    run_script,
    sample_here,
    sample_with_diffusers,
    small_model,
)


def trained(folder, model):
    """The run folder of a model with random weights."""
    torch.manual_seed(0)
    description = {"kind": "diffusion", "model": model.model_dump(), "n_classes": 3, "image_size": SIZE}
    save_network(MaskedDenoiser(model, 3, SIZE), folder / "model.safetensors", description)
    return folder / "model.safetensors"


@pytest.mark.parametrize("conditioning", ["index255", "none"])
def test_an_exported_model_gives_the_same_images_in_plain_diffusers(
    tmp_path, noise_BCHW, masks_BHW, conditioning
):
    weights = trained(tmp_path / "run", small_model(conditioning))
    folder = tmp_path / "export"
    export_model(weights, "leading", folder / "README.md")
    unet = UNet2DModel.from_pretrained(folder, subfolder="unet").eval()
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    scheduler.set_timesteps(STEPS)
    images = sample_here(weights, noise_BCHW, masks_BHW)
    assert torch.equal(images, sample_with_diffusers(unet, scheduler, noise_BCHW, masks_BHW, conditioning))
    assert images.std() > 0.1


@pytest.mark.parametrize(
    ("conditioning", "patch", "prediction_type", "spacing"),
    [
        ("none", 1, "epsilon", "leading"),
        ("none", 2, "sample", "trailing"),
        ("index255", 1, "v_prediction", "linspace"),
        ("onehot", 1, "epsilon", "leading"),
        ("onehot", 2, "sample", "trailing"),
        ("onehot_free", 1, "epsilon", "leading"),
    ],
)
def test_the_lines_on_the_page_give_the_same_images(
    tmp_path, monkeypatch, noise_BCHW, masks_BHW, conditioning, patch, prediction_type, spacing
):
    weights = trained(tmp_path / "run", small_model(conditioning, patch, prediction_type))
    page = tmp_path / "export" / "README.md"
    export_model(weights, spacing, page)
    lines = re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[1]
    lines = lines.replace("set_timesteps(50)", f"set_timesteps({STEPS})")
    monkeypatch.setattr(torch, "randn", lambda *shape: noise_BCHW[: shape[0]])
    scope = {"folder": page.parent, "mask": masks_BHW}
    exec(lines, scope)
    images = to_images(sample_here(weights, noise_BCHW, masks_BHW, spacing))
    assert torch.equal(scope["images"][:, 0], images)
    assert images.float().std() > 10
    assert ("pixel_unshuffle`)" in page.read_text()) == (patch > 1)


def test_export_then_import_gives_the_same_images_and_export_the_same_bytes(tmp_path, noise_BCHW, masks_BHW):
    weights = trained(tmp_path / "run", small_model())
    for name in ("first", "second"):
        export_model(weights, "leading", tmp_path / name / "README.md")
    files = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*")]
    assert len(files) == 4
    assert all((tmp_path / "first" / f).read_bytes() == (tmp_path / "second" / f).read_bytes() for f in files)
    back = tmp_path / "back" / "model.safetensors"
    import_model(imported(tmp_path / "first"), 3, SIZE, 0, back)
    assert torch.equal(sample_here(back, noise_BCHW, masks_BHW), sample_here(weights, noise_BCHW, masks_BHW))
    export_model(back, "leading", tmp_path / "third" / "README.md")
    unet = Path("unet/diffusion_pytorch_model.safetensors")
    assert (tmp_path / "third" / unet).read_bytes() == (tmp_path / "first" / unet).read_bytes()


def test_a_model_of_another_kind_is_refused(tmp_path):
    weights = tmp_path / "model.safetensors"
    save_network(torch.nn.Linear(1, 1), weights, {"kind": "spade", "n_classes": 3})
    done = run_script(
        "export_model", "--weights", weights, "--timestep-spacing", "leading", "--readme", tmp_path / "R.md"
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("is a spade model; expected an image-space diffusion model")
