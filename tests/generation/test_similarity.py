"""Adjustable similarity: λ mixes two latents at t̂ as the paper's formula says."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from segguided.config.sampling import Sampling
from segguided.data.slices import read_slices
from segguided.generation.diffusion import load_denoiser
from segguided.generation.samplers.renoising import Renoiser
from segguided.generation.sampling import make_scheduler
from segguided.generation.similarity import Batch, interpolate, interpolate_in_two_calls
from segguided.generation.variants import read_variants
from segguided.models.diffusion import noise_schedule
from segguided.models.signals import to_signal
from support.tiny_models import MODEL


def scheduler(steps=50):
    ddim = Sampling(sampler="ddim", steps=steps, timestep_spacing="leading", batch_size=1)
    return make_scheduler(MODEL, ddim)


def test_equals_the_formula_written_out_with_plain_diffusers():
    torch.manual_seed(0)
    noise = torch.randn(2, 1, 4, 4)
    noised_real = torch.randn(2, 1, 4, 4)
    mask = torch.zeros(2, 4, 4)

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


def test_script_writes_each_lambda_and_the_same_bytes_twice(similar_sets):
    assert (similar_sets / "first.npz").read_bytes() == (similar_sets / "second.npz").read_bytes()
    variants, chosen = read_variants(similar_sets / "first.npz", read_slices([similar_sets / "p.npz"]))
    shares = ["0", "0.25", "0.5", "0.75", "1"]
    assert list(variants) == [f"{share}/{number}" for share in shares for number in (0, 1)]
    assert len(chosen) == 3
    for share in shares:
        assert not np.array_equal(variants[f"{share}/0"], variants[f"{share}/1"]), "each has its own noise"
    network, _ = load_denoiser(similar_sets / "model/model.safetensors", torch.device("cpu"))
    assert network.encoder.conditioning == "onehot"


def a_batch(count=2):
    torch.manual_seed(0)
    return Batch(
        names=["a", "b"][:count],
        images_BHW=torch.randint(0, 256, (count, 4, 4), dtype=torch.uint8),
        masks_BHW=torch.zeros(count, 4, 4),
        noise_BCHW=torch.randn(count, 1, 4, 4),
        real_noise_BCHW=torch.randn(count, 1, 4, 4),
    )


def test_in_two_calls_the_noised_mixture_of_both_images_is_denoised_at_the_mixing_step():
    batch = a_batch()
    seen = []

    def denoiser(x, t, _mask):
        seen.append((x, t.tolist()))
        return torch.tanh(x)

    renoiser = Renoiser(MODEL, 1, seed=0)
    generated, half = interpolate_in_two_calls(denoiser, renoiser, batch, 240, [0.0, 0.5])
    assert [t for _, t in seen] == [[999, 999], [240, 240], [240, 240]]
    forward = noise_schedule(MODEL)
    t_B = torch.full((2,), 240)
    mixed = 0.5 * to_signal(batch.images_BHW) + 0.5 * torch.tanh(batch.noise_BCHW)
    assert torch.allclose(seen[2][0], forward.add_noise(mixed, batch.real_noise_BCHW, t_B))
    assert not torch.equal(generated, half)


def test_in_two_calls_the_real_image_alone_is_left_at_lambda_one():
    batch = a_batch()
    renoiser = Renoiser(MODEL, 1, seed=0)
    forward = noise_schedule(MODEL)
    t_B = torch.full((2,), 240)
    noised = forward.add_noise(to_signal(batch.images_BHW), batch.real_noise_BCHW, t_B)
    (image,) = interpolate_in_two_calls(lambda x, _t, _mask: torch.tanh(x), renoiser, batch, 240, [1.0])
    assert torch.equal(image, torch.tanh(noised))
