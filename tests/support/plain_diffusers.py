"""Sampling as one writes it with diffusers alone, beside this pipeline's own sampling."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet
from segguided.config.sampling import Sampling
from segguided.generation.diffusion import load_denoiser
from segguided.generation.sampling import initial_noise, make_scheduler, sample
from support.foreign_unet import SIZE

SCRIPTS = Path(__file__).parents[2] / "scripts"
CPU = torch.device("cpu")
STEPS = 5
NAMES = ["a_slice_0", "a_slice_1", "b_slice_7"]
SMALL = Unet(channels=(8, 16), norm_groups=4, layers_per_block=1, attention_levels=(1,))


def five_steps(spacing="leading", batch_size=2):
    """The settings of a short sampling by DDIM."""
    return Sampling(
        sampler="ddim", steps=STEPS, timestep_spacing=spacing, batch_size=batch_size, precision="fp32"
    )


@pytest.fixture(name="masks_BHW")
def masks():
    """A mask (B, H, W) for each of `NAMES`."""
    return torch.randint(0, 4, (len(NAMES), SIZE, SIZE), generator=torch.Generator().manual_seed(1)).byte()


@pytest.fixture(name="noise_BCHW")
def noise():
    """The noise that the images of `NAMES` start from."""
    return initial_noise(3, NAMES, SIZE)


def sample_with_diffusers(unet, scheduler, x_BCHW, masks_BHW, conditioning="index255"):
    """Sampling as one writes it with diffusers alone."""
    for t in scheduler.timesteps:
        inputs = [x_BCHW] if conditioning == "none" else [x_BCHW, masks_BHW.unsqueeze(1) / 255]
        with torch.no_grad():
            eps = unet(torch.cat(inputs, dim=1), t).sample
        x_BCHW = scheduler.step(eps, t, x_BCHW).prev_sample
    return x_BCHW.clamp(-1, 1)


def sample_here(weights, noise_BCHW, masks_BHW, spacing="leading"):
    """Sampling as this pipeline does it."""
    network, model = load_denoiser(weights, CPU)
    return sample(network, make_scheduler(model, five_steps(spacing)), noise_BCHW, masks_BHW)


def ddim_scheduler(**settings):
    """diffusers' own, its five time steps set."""
    scheduler = DDIMScheduler(num_train_timesteps=1000, **settings)
    scheduler.set_timesteps(STEPS)
    return scheduler


def small_model(conditioning="index255", patch=1, prediction_type="epsilon"):
    """The settings of a tiny diffusion model of this pipeline."""
    return DiffusionModel(
        kind="diffusion",
        conditioning=conditioning,
        mask_ablation="sample" if conditioning == "onehot_free" else "none",
        prediction_type=prediction_type,
        unet=SMALL.model_copy(update={"patch": patch}),
        training=Training(steps=1, batch_size=1, learning_rate=1),
    )


def run_script(script, *arguments):
    """Run a script of the pipeline as the workflow does; what it printed and its exit code."""
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)
