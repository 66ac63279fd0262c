"""Adjustable similarity: λ mixes two latents at t̂ as the paper's formula says."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from generate_similar import generate_similar
from measure_similarity import measure_similarity
from segguided.config.experiments import Similarity
from segguided.config.sampling import Sampling
from segguided.data.slices import read_slices
from segguided.evaluation.measured import read_csv
from segguided.generation.diffusion import load_denoiser
from segguided.generation.sampling import make_scheduler
from segguided.generation.similarity import interpolate
from segguided.generation.variants import read_variants
from support.partial_sets import folder  # noqa: F401
from support.tiny_models import MODEL

LAMBDAS = (0.25, 0.5, 0.75, 1.0)


def scheduler(steps=50):
    ddim = Sampling(sampler="ddim", steps=steps, timestep_spacing="leading", batch_size=1)
    return make_scheduler(MODEL, ddim)


def test_equals_the_formula_written_out_with_plain_diffusers():
    torch.manual_seed(0)
    noise, noised_real, mask = torch.randn(2, 1, 4, 4), torch.randn(2, 1, 4, 4), torch.zeros(2, 4, 4)

    def denoiser(x, t, m):
        return torch.tanh(x + m[:, None] + t.view(-1, 1, 1, 1) / 1000)

    ours = list(interpolate(denoiser, scheduler(), noise, noised_real, mask, 240, [0.0, 0.5]))
    plain = DDIMScheduler(beta_start=1e-4, beta_end=0.02, prediction_type="sample")
    plain.set_timesteps(50)
    assert 240 in plain.timesteps

    def steps(x, timesteps):
        for t in timesteps:
            x = plain.step(denoiser(x, t.expand(2), mask), t, x).prev_sample
        return x

    halted = steps(noise, [t for t in plain.timesteps if t > 240])
    rest = [t for t in plain.timesteps if t <= 240]
    assert torch.equal(ours[0], steps(halted, rest).clamp(-1, 1))
    assert torch.equal(ours[1], steps(0.5 * noised_real + 0.5 * halted, rest).clamp(-1, 1))


def test_a_time_step_that_sampling_passes_over_is_refused():
    with pytest.raises(
        ValueError, match=r"similarity.timestep 240 is none of the 30 sampling steps 957, 924, …, 0"
    ):
        next(interpolate(None, scheduler(30), None, None, None, 240, [1.0]))


@pytest.fixture
def drawn(folder):  # noqa: F811
    sampling = Sampling(
        sampler="dpm-solver++", steps=2, timestep_spacing="trailing", batch_size=2, precision="fp32"
    )
    similarity = Similarity(model="m", timestep=240, lambdas=LAMBDAS, steps=25, masks=3)
    for name in ("first.npz", "second.npz"):
        arguments = (folder / "model/model.safetensors", [folder / "p.npz"], sampling, similarity)
        generate_similar(*arguments, [2], 0, folder / name)
    return folder


def test_script_writes_each_lambda_and_the_same_bytes_twice(drawn):
    assert (drawn / "first.npz").read_bytes() == (drawn / "second.npz").read_bytes()
    variants, chosen = read_variants(drawn / "first.npz", read_slices([drawn / "p.npz"]))
    assert list(variants) == ["0", "0.25", "0.5", "0.75", "1"]
    assert len(chosen) == 3
    network, _ = load_denoiser(drawn / "model/model.safetensors", torch.device("cpu"))
    assert network.encoder.conditioning == "onehot"


def test_measured_against_the_real_image(drawn):
    measure_similarity(
        dataset="set",
        generated=drawn / "first.npz",
        slices=[drawn / "p.npz"],
        evaluator=drawn / "segmenter/model.safetensors",
        classes="ab",
        output=drawn / "similarity.csv",
    )
    frame = read_csv(drawn / "similarity.csv")
    assert frame["lambda"].tolist() == [0, *LAMBDAS]
    assert np.isfinite(frame[["ssim", "mae", "dice_macro"]]).all(axis=None)
    assert set(frame["images"]) == {3}
    assert set(frame["dataset"]) == {"set"}


@pytest.mark.parametrize("lambdas", [(0.5, 0.25), (0.5, 0.5), (0.0, 1.0), (0.5, 1.5)])
def test_lambdas_rise_in_the_half_open_interval(lambdas):
    with pytest.raises(ValueError, match=r"expected rising values|greater than 0|less than or equal to 1"):
        Similarity(model="m", timestep=240, lambdas=lambdas, steps=50, masks=1)
