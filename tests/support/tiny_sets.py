"""A denoiser with random weights that samples in milliseconds, and slices for it to follow."""

import numpy as np
import torch

from segguided.config.sampling import Sampling
from segguided.data.slices import Stack, write_stack
from segguided.models.denoiser import MaskedDenoiser
from segguided.training.storage import save_network
from support.tiny_models import MODEL


def small_sampling(batch_size=4):
    return Sampling(
        sampler="ddim", steps=3, timestep_spacing="trailing", batch_size=batch_size, precision="fp32"
    )


def random_stack(patient, n=5):
    """Slices with two classes; the patient's name is the seed, by its length."""
    rng = np.random.default_rng(len(patient))
    masks_SHW = rng.integers(0, 3, (n, 16, 16)).astype(np.uint8)
    return Stack(patient, masks_SHW * 100, masks_SHW, np.arange(float(n)), {"classes": ["a", "b"]})


def tiny_denoiser():
    torch.manual_seed(0)
    return MaskedDenoiser(MODEL, 2, 16).eval()


def write_two_sets(network, folder):
    """Write the weights and two patients' slices; return sets of five and of ten slices."""
    description = {"kind": "diffusion", "model": MODEL.model_dump(), "n_classes": 2, "image_size": 16}
    save_network(network, folder / "model.safetensors", description)
    for patient in ("p", "qq"):
        write_stack(folder / f"{patient}.npz", random_stack(patient))
    return [[folder / "p.npz"], [folder / "qq.npz", folder / "p.npz"]]
