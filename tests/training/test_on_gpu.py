"""A GPU computes what a CPU does: the losses of every learner at each step, the images of every sampler."""

from functools import partial

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from segguided.config.models.controlnet import (
    AutoencoderSize,
    AutoencoderTraining,
    ControlTraining,
    LatentTraining,
    LatentUnetSize,
)
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import SpadeModel
from segguided.config.sampling import Sampling
from segguided.generation import controlnet as controlnet_generation
from segguided.generation import diffusion as diffusion_generation
from segguided.generation import spade as spade_generation
from segguided.models.controlnet.autoencoder import AutoencoderLearner, start_autoencoder
from segguided.models.controlnet.control import ControlLearner, LatentPipeline, add_control
from segguided.models.controlnet.latent import start_denoiser
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.models.spade import Generator
from segguided.models.spade_learner import SpadeLearner
from support.on_gpu import needs_cuda

pytestmark = needs_cuda
CPU = torch.device("cpu")
CUDA = torch.device("cuda")
STEPS = 12
SIZE = 32
TRAINING = {"steps": STEPS, "batch_size": 4, "learning_rate": 1e-3, "precision": "fp32"}
SAMPLING = Sampling(sampler="ddim", steps=5, batch_size=4, precision="fp32")
UNET = {"channels": (8, 16, 16), "attention_levels": (2,), "norm_groups": 4, "layers_per_block": 1}


@pytest.fixture(autouse=True)
def full_fp32(monkeypatch):
    """By default, cuDNN rounds the factors of a convolution to 10 bits (TF32) where `precision` is fp32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def same_random_numbers(monkeypatch):
    """Every device gets the CPU's random numbers."""
    for name in ("rand", "randn", "randint"):
        monkeypatch.setattr(torch, name, partial(chosen_on_the_cpu, getattr(torch, name)))


def chosen_on_the_cpu(function, *arguments, generator=None, device=None, **named):
    return function(*arguments, generator=generator, **named).to(device or CPU)


def diffusion_model(**changes):
    values = {"kind": "diffusion", "conditioning": "onehot", "unet": UNET, "training": TRAINING, **changes}
    return DiffusionModel.model_validate(values)


def diffusion(device, **changes):
    model = diffusion_model(**changes)
    return DiffusionLearner(MaskedDenoiser(model, 2, SIZE).to(device), model, STEPS, device)


def segmenter(device):
    settings = Segmenter.model_validate({"channels": (4, 8), "augmentation": {}, "training": TRAINING})
    return SegmenterLearner(build_segmenter(settings, 2).to(device), settings, STEPS, None, device)


def spade(device):
    model = SpadeModel.model_validate(
        {
            "kind": "spade",
            "generator": {"channels": (4, 8, 8), "modulation_channels": 4},
            "discriminator": {"channels": 4, "layers": 2},
            "perceptual": {"kind": "none"},
            "training": {"steps": STEPS, "batch_size": 4, "precision": "fp32"},
        }
    )
    return SpadeLearner(Generator(model.generator, 2, SIZE).to(device), model, None, STEPS, device)


def vae() -> AutoencoderKL:
    size = {"channels": (4, 8), "latent_channels": 2, "layers_per_block": 1, "norm_groups": 4}
    return start_autoencoder(AutoencoderSize.model_validate(size))


def autoencoder(device):
    settings = AutoencoderTraining.model_validate({"kl_weight": 1e-6, "training": TRAINING})
    return AutoencoderLearner(vae().to(device), settings, STEPS, device)


def control(device):
    unet = LatentUnetSize.model_validate(
        {"channels": (8, 8), "attention_levels": (1,), "attention_heads": 2, "layers_per_block": 1,
         "norm_groups": 4}
    )  # fmt: skip
    settings = ControlTraining.model_validate(
        {"conditioning": "onehot", "hint_channels": (4, 8), "sd_locked": False, "training": TRAINING}
    )
    network = vae()
    denoiser = add_control(start_denoiser(unet, 2), network, settings, 2)
    pipeline = LatentPipeline(network, denoiser, 1.0).to(device)
    return ControlLearner(pipeline, LatentTraining(training=TRAINING), settings, STEPS, device)


LEARNERS = {
    "diffusion": diffusion,
    "mask-ablated": partial(diffusion, mask_ablation="sample"),
    "min-snr": partial(diffusion, prediction_type="v_prediction", min_snr_gamma=5),
    "segmenter": segmenter,
    "spade": spade,
    "autoencoder": autoencoder,
    "controlnet": control,
}


def batch(kind):
    """What a learner learns from, and masks."""
    rng = np.random.default_rng(0)
    masks_BHW = np.kron(rng.integers(0, 3, (4, 4, 4)), np.ones((1, 8, 8))).astype(np.uint8)
    images_BHW = masks_BHW * 90 + rng.integers(0, 30, masks_BHW.shape).astype(np.uint8)
    if kind == "controlnet":
        moments = torch.from_numpy(rng.normal(size=(4, 4, SIZE // 2, SIZE // 2)).astype(np.float32))
        return moments, torch.from_numpy(masks_BHW)
    return torch.from_numpy(images_BHW), torch.from_numpy(masks_BHW)


def losses_of(kind, device):
    """The losses of each step, from the same first weights and random numbers on any device."""
    torch.manual_seed(0)
    learner = LEARNERS[kind](device)
    x_B, masks_BHW = batch(kind)
    generator = torch.Generator().manual_seed(1)
    steps = [learner.update(x_B.to(device), masks_BHW.to(device), generator) for _ in range(STEPS)]
    return {name: [float(losses[name]) for losses in steps] for name in steps[0]}


@pytest.mark.usefixtures("same_random_numbers")
@pytest.mark.parametrize("kind", LEARNERS)
def test_a_gpu_learns_as_a_cpu_does(kind):
    on_cpu = losses_of(kind, CPU)
    on_gpu = losses_of(kind, CUDA)
    assert on_gpu.keys() == on_cpu.keys()
    for name, losses in on_cpu.items():
        assert on_gpu[name][0] == pytest.approx(losses[0], rel=1e-4, abs=1e-6), name
        # A pixel that rounds to another grey value, or a sign in Adam's first steps, moves all that follows.
        assert on_gpu[name] == pytest.approx(losses, rel=0.03, abs=1e-4), name


def samplers(device):
    torch.manual_seed(0)
    model = diffusion_model(prediction_type="sample")
    denoiser = MaskedDenoiser(model, 2, SIZE).to(device).eval()
    pipeline = control(device).pipeline.eval()
    process = LatentTraining(prediction_type="sample", training=TRAINING)
    return [
        diffusion_generation.make_sampler(denoiser, model, SAMPLING, seed=3),
        controlnet_generation.make_sampler(pipeline, process, SAMPLING, seed=3),
        spade_generation.make_sampler(spade(device).generator.eval(), "fp32"),
    ]


def test_a_gpu_generates_the_images_that_a_cpu_does():
    """From the same noise: that of the mask's id. A random network's images are noisy, so they tell."""
    masks_BHW = batch("diffusion")[1]
    names = [f"p_slice_{n}" for n in range(4)]
    for on_cpu, on_gpu in zip(samplers(CPU), samplers(CUDA), strict=True):
        expected_BHW = on_cpu(masks_BHW, names).int()
        difference_BHW = (on_gpu(masks_BHW, names).cpu().int() - expected_BHW).abs()
        assert expected_BHW.float().std() > 2
        assert difference_BHW.max() <= 1
