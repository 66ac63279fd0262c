"""Slices with three classes, and a folder of them with a trained model and segmenter."""

import numpy as np
import pytest
import torch

from generate_similar import generate_similar
from segguided.config.experiments import Similarity
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.slices import Stack, write_stack
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.segmenter import build_segmenter
from segguided.training.storage import save_network
from support.tiny_models import MODEL

CLASSES = ("a", "b", "c")
LAMBDAS = (0.25, 0.5, 0.75, 1.0)


def stack(patient="p", n=6):
    masks_SHW = np.zeros((n, 8, 8), np.uint8)
    masks_SHW[1:, :4] = 1
    masks_SHW[2:, 4:, :4] = 2
    masks_SHW[4:, 4:, 4:] = 3
    return Stack(patient, masks_SHW * 80, masks_SHW, np.arange(float(n)), {"classes": list(CLASSES)})


def grey_of_class(masks_BHW, names):
    """A sampler whose images show each class in a grey of its own."""
    return masks_BHW * 50


@pytest.fixture
def trained(tmp_path):
    """Slices of a patient, a diffusion model and a segmenter, all random."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    masks_SHW = rng.integers(0, 3, (4, 16, 16)).astype(np.uint8)
    write_stack(
        tmp_path / "p.npz", Stack("p", masks_SHW * 100, masks_SHW, np.arange(4.0), {"classes": ["a", "b"]})
    )
    description = {"kind": "diffusion", "model": MODEL.model_dump(), "n_classes": 2, "image_size": 16}
    save_network(MaskedDenoiser(MODEL, 2, 16), tmp_path / "model/model.safetensors", description)
    settings = Segmenter(channels=(4, 8), training=Training(steps=1, batch_size=1, learning_rate=1))
    description = {"segmenter": settings.model_dump(), "n_classes": 2}
    save_network(build_segmenter(settings, 2), tmp_path / "segmenter/model.safetensors", description)
    return tmp_path


@pytest.fixture
def similar_sets(trained):
    """The same folder, with first.npz and second.npz: the same images of each λ, made twice."""
    sampling = Sampling(
        sampler="dpm-solver++", steps=2, timestep_spacing="trailing", batch_size=2, precision="fp32"
    )
    similarity = Similarity(model="m", timestep=240, lambdas=LAMBDAS, steps=25, masks=3, samples_per_mask=2)
    for name in ("first.npz", "second.npz"):
        generate_similar(
            weights=trained / "model/model.safetensors",
            slices=[trained / "p.npz"],
            sampling=sampling,
            similarity=similarity,
            n_classes=2,
            kept=[2],
            seed=0,
            output=trained / name,
        )
    return trained
