"""Sampling images from a trained SPADE generator; a change here retrains nothing."""

from pathlib import Path

import torch

from segguided.config.models.spade import SpadeModel
from segguided.config.models.training import Precision
from segguided.generation.one_call import one_call_sampler
from segguided.generation.sets import Sampler
from segguided.models.spade import Generator
from segguided.training.storage import load_weights, network_description


def load_generator(weights: Path, device: torch.device) -> Generator:
    """A trained generator on `device`; its spectral normalisation is in its weights."""
    with network_description(weights) as description:
        settings = SpadeModel.model_validate(description["model"]).generator
        size = description["image_size"]
        network = Generator(settings, description["n_classes"], size, description.get("channels", 1))
    load_weights(network, weights, device)
    return network


def make_sampler(generator: Generator, precision: Precision) -> Sampler:
    """A function from masks to images; the mask ids change nothing."""
    return one_call_sampler(generator, generator, precision)
