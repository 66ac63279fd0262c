"""The samplers, against formulas written out here, diffusers' own pipeline and its schedulers."""

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DPMSolverMultistepScheduler, UNet2DModel

from segguided.config.sampling import Sampling
from segguided.generation.sampling import initial_noise, make_scheduler, sample
from support.tiny_models import diffusion_model as model

# From before there was noise for latents.
NOISE_OF_IMAGES = [1.477059, -0.506559, -0.337287, -0.761127]


def sampling(sampler="ddim", steps=5, spacing="leading"):
    return Sampling(sampler=sampler, steps=steps, timestep_spacing=spacing, batch_size=4)


def alpha_bars():
    return np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


def toy_denoiser(x_BCHW, t_B, mask_BHW):
    """Any smooth function of all three inputs."""
    return torch.tanh(x_BCHW) * 0.7 + 0.1 * mask_BHW[:, None] + t_B.view(-1, 1, 1, 1) / 4000


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_ddim_equals_the_written_out_formula(prediction_type):
    """Song et al. 2021, equation 12 with η = 0, and x0 clipped as diffusers does."""
    steps = 10
    alpha_bar = alpha_bars()
    x_BCHW = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    mask_BHW = torch.ones(2, 8, 8, dtype=torch.uint8)
    scheduler = make_scheduler(model(prediction_type), sampling(steps=steps))
    ours = sample(toy_denoiser, scheduler, x_BCHW, mask_BHW)
    x = x_BCHW
    for t in range(1000 - 1000 // steps, -1, -1000 // steps):
        output = toy_denoiser(x, torch.full((2,), t), mask_BHW)
        a = alpha_bar[t]
        # set_alpha_to_one: the last step ends at alpha_bar = 1
        before = alpha_bar[t - 1000 // steps] if t >= 1000 // steps else 1.0
        x0 = {
            "epsilon": (x - (1 - a) ** 0.5 * output) / a**0.5,
            "v_prediction": a**0.5 * x - (1 - a) ** 0.5 * output,
            "sample": output,
        }[prediction_type]
        clipped = x0.clamp(-1, 1)
        eps = {
            "epsilon": output,
            "v_prediction": a**0.5 * output + (1 - a) ** 0.5 * x,
            "sample": (x - a**0.5 * x0) / (1 - a) ** 0.5,
        }[prediction_type]
        x = before**0.5 * clipped + (1 - before) ** 0.5 * eps
    assert torch.allclose(ours, x.clamp(-1, 1).to(ours.dtype), atol=1e-4)


def test_ddim_equals_diffusers_pipeline():
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=16, in_channels=1, out_channels=1, block_out_channels=(8, 8), norm_num_groups=4,
        layers_per_block=1, down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
    ).eval()  # fmt: skip
    scheduler = make_scheduler(model(), sampling(steps=4))
    pipeline = DDIMPipeline(unet, make_scheduler(model(), sampling(steps=4)))
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(2, torch.Generator().manual_seed(7), num_inference_steps=4, output_type="np").images
    noise_BCHW = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(7))
    ours = sample(lambda x, t, m: unet(x, t).sample, scheduler, noise_BCHW, torch.zeros(2, 16, 16))
    assert np.allclose((ours[:, 0] / 2 + 0.5).numpy(), theirs[..., 0], atol=1e-5)


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_dpm_solver_equals_diffusers_scheduler_and_carries_no_history(spacing):
    chosen = sampling("dpm-solver++", 6, spacing)
    x_BCHW = torch.randn(2, 1, 8, 8)
    mask_BHW = torch.ones(2, 8, 8, dtype=torch.uint8)
    reference = DPMSolverMultistepScheduler(
        beta_schedule="linear", beta_start=1e-4, beta_end=0.02, prediction_type="v_prediction",
        timestep_spacing=spacing, algorithm_type="dpmsolver++", solver_order=2,
    )  # fmt: skip
    reference.set_timesteps(6)
    x = x_BCHW
    for t in reference.timesteps:
        x = reference.step(toy_denoiser(x, t.expand(2), mask_BHW), t, x).prev_sample
    scheduler = make_scheduler(model("v_prediction"), chosen)
    first = sample(toy_denoiser, scheduler, x_BCHW, mask_BHW)
    second = sample(toy_denoiser, scheduler, x_BCHW, mask_BHW)
    assert torch.equal(first, second)
    assert torch.allclose(first, x.clamp(-1, 1), atol=1e-6)


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver++"])
def test_samplers_recover_the_data_of_an_exact_denoiser(sampler):
    """For Gaussian data N(0, s²) the optimal v is linear in x; samples must then have variance s²."""
    s = 0.25
    alpha_bar = torch.from_numpy(alpha_bars()).float()

    def exact(x_BCHW, t_B, _mask):
        a_B111 = alpha_bar[t_B].view(-1, 1, 1, 1)
        x0 = a_B111.sqrt() * s**2 * x_BCHW / (a_B111 * s**2 + 1 - a_B111)
        eps = (x_BCHW - a_B111.sqrt() * x0) / (1 - a_B111).sqrt()
        return a_B111.sqrt() * eps - (1 - a_B111).sqrt() * x0

    noise_BCHW = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(3))
    steps = sampling(sampler, 50, "trailing")
    x0 = sample(exact, make_scheduler(model("v_prediction"), steps), noise_BCHW, torch.zeros(1, 128, 128))
    assert abs(float(x0.std()) - s) < 0.03


def test_noise_is_a_function_of_seed_and_mask_id_alone():
    together = initial_noise(3, ["a_slice_0", "b_slice_1"], 16)
    assert torch.equal(initial_noise(3, ["b_slice_1"], 16)[0], together[1])
    assert not torch.equal(initial_noise(4, ["b_slice_1"], 16)[0], together[1])
    many = initial_noise(0, [f"p_slice_{i}" for i in range(64)], 32)
    assert abs(float(many.mean())) < 0.01
    assert abs(float(many.std()) - 1) < 0.01
    assert np.abs(np.corrcoef(many.flatten(1).numpy())[np.triu_indices(64, 1)]).max() < 0.15


def test_noise_of_latents_has_channels_and_that_of_images_stays_what_it_was():
    noise_BCHW = initial_noise(3, ["a_slice_0", "b_slice_1"], 8, channels=4)
    assert noise_BCHW.shape == (2, 4, 8, 8)
    assert torch.equal(noise_BCHW[:, :1], initial_noise(3, ["a_slice_0", "b_slice_1"], 8))
    first_four = initial_noise(3, ["a_slice_0"], 8)[0, 0, 0, :4]
    assert torch.allclose(first_four, torch.tensor(NOISE_OF_IMAGES), atol=1e-6)


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver++"])
def test_latents_are_not_cut_to_the_range_of_images(sampler):
    """A denoiser that knows x0 = 3 everywhere must get it."""
    x_BCHW = torch.randn(1, 2, 8, 8)
    mask_BHW = torch.zeros(1, 8, 8)
    for bounded, expected in ((False, 3.0), (True, 1.0)):
        chosen = make_scheduler(model("sample"), sampling(sampler, 5, "trailing"), bounded=bounded)
        x0 = sample(lambda x, t, m: torch.full_like(x, 3.0), chosen, x_BCHW, mask_BHW, bounded=bounded)
        assert torch.allclose(x0, torch.full_like(x0, expected), atol=0.05)


def test_more_steps_than_timesteps_is_refused():
    with pytest.raises(ValueError, match=r"sampling\.steps is 1001"):
        make_scheduler(model(), sampling(steps=1001))
