"""Images that start from real ones see the tissues of these, but where the mask has another class."""

import numpy as np
import pytest
import torch

from segguided.config.experiments import Counterfactuals, Similarity
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.sampling import Generation
from segguided.data.slices import read_slices, write_stack
from segguided.generation.diffusion import load_denoiser
from segguided.generation.masks.tissues import tissue_painter
from segguided.generation.near_real.start import RealStart, with_masks
from segguided.generation.partial_masks import GivenClasses
from segguided.generation.similarity import generate_by_similarity
from support.tissues import spotted_squares, tiny_tissues
from train_diffusion import train_diffusion

CPU = torch.device("cpu")
GENERATION = Generation(batch_size=4, precision="fp32")
SETTINGS = Counterfactuals(masks=3, edits=("grow",), distance=0.1, steps=25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with tissues after three steps, and its slices."""
    folder = tmp_path_factory.mktemp("tissues")
    (stack,) = spotted_squares(count=6).stacks
    write_stack(folder / "p.npz", stack)
    model = DiffusionModel.model_validate(
        {
            "kind": "diffusion",
            "conditioning": "onehot",
            "prediction_type": "sample",
            "losses": {"squared_error": 0, "energy_score": {"levels": 2}},
            "decoder": {"channels": (8, 16), "modulation_channels": 8},
            "tissues": tiny_tissues(),
            "training": {"steps": 3, "batch_size": 4, "learning_rate": 1e-2},
        }
    )
    train_diffusion([folder / "p.npz"], model, 1, 0, folder / "model.safetensors", 600)
    return folder


@pytest.fixture
def start(folder, monkeypatch):
    """A start whose images are not made: `seen` holds the masks that the network would have seen."""
    start = RealStart(folder / "model.safetensors", GENERATION, SETTINGS, 0, "renoise")
    start.seen = []

    def interpolated(batch, shares):
        start.seen.append(batch.masks_BHW.numpy())
        yield from (torch.zeros(len(batch.names), 1, 16, 16) for _ in shares)

    start.interpolated = interpolated
    return start


def test_the_real_images_tissues_are_seen_where_the_class_is_that_of_the_real_mask(folder, start):
    slices = read_slices([folder / "p.npz"])
    edited_MHW = slices.masks.copy()
    edited_MHW[:, 2:4, 4:12] = 1  # the square grows
    edited_MHW[:, 11, 4:12] = 0
    start.images(with_masks(slices, edited_MHW), [1.0], real_masks_MHW=slices.masks)
    seen_MHW = np.concatenate(start.seen)
    real_MHW = start.tissues.division.of(slices.images, slices.masks)
    is_same_MHW = edited_MHW == slices.masks
    np.testing.assert_array_equal(seen_MHW[is_same_MHW], real_MHW[is_same_MHW])
    classes = np.array(start.tissues.division.classes)
    np.testing.assert_array_equal(classes[seen_MHW], edited_MHW)
    assert len(np.unique(real_MHW)) == 3, "the spots are tissues of their own"


def test_without_a_real_image_tissues_are_drawn(folder, start):
    slices = read_slices([folder / "p.npz"])
    start.images(slices, [0.0])
    network, _ = load_denoiser(folder / "model.safetensors", CPU)
    drawn_MHW = tissue_painter(network, 0, "fp32")(torch.from_numpy(slices.masks), slices.names).numpy()
    np.testing.assert_array_equal(np.concatenate(start.seen), drawn_MHW)


def test_figure_4_draws_tissues_for_each_image_of_a_mask(folder):
    slices = read_slices([folder / "p.npz"])
    network, model = load_denoiser(folder / "model.safetensors", CPU)
    similarity = Similarity(model="m", lambdas=(1.0,), masks=6, samples_per_mask=2, timestep=240)
    given = GivenClasses((1,), 1)
    images = generate_by_similarity(network, model, GENERATION, slices, given, similarity, 0, "renoise")
    assert images.keys() == {"0/0", "1/0", "0/1", "1/1"}
    assert all(made.shape == slices.images.shape for made in images.values())
    assert not np.array_equal(images["0/0"], images["0/1"])
