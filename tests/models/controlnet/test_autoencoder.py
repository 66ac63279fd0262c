"""The autoencoder: shapes, grey images in colour channels, its posterior, and that it learns."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from segguided.config.models.controlnet import AutoencoderSize, AutoencoderTraining
from segguided.config.models.training import Training
from segguided.models.controlnet import autoencoder
from segguided.models.controlnet.autoencoder import AutoencoderLearner, decode, encode, start_autoencoder
from segguided.models.signals import to_images, to_signal

CPU = torch.device("cpu")
TINY = AutoencoderSize(channels=(8, 8), latent_channels=2, layers_per_block=1, norm_groups=4, attention=False)


def settings(steps, **training):
    training = {"batch_size": 4, "learning_rate": 1e-2, "warmup_steps": 5, "precision": "fp32", **training}
    return AutoencoderTraining(kl_weight=1e-6, training=Training(steps=steps, **training))


@pytest.mark.parametrize(
    ("channels", "latent_channels", "attention", "size", "latent_size"),
    [
        ((8,), 4, False, 16, 16),
        ((8, 8), 2, False, 16, 8),
        ((4, 8, 8), 3, True, 32, 8),
        ((4, 4, 8, 8), 4, True, 32, 4),
    ],
)
def test_shapes(channels, latent_channels, attention, size, latent_size):
    chosen = AutoencoderSize(
        channels=channels,
        latent_channels=latent_channels,
        layers_per_block=1,
        norm_groups=4,
        attention=attention,
    )
    network = start_autoencoder(chosen)
    moments = encode(network, torch.zeros(2, 1, size, size))
    assert moments.shape == (2, 2 * latent_channels, latent_size, latent_size)
    assert decode(network, moments[:, :latent_channels]).shape == (2, 1, size, size)
    assert autoencoder.downsampling(network) == size // latent_size


def test_a_grey_image_is_in_all_channels_and_comes_back_as_their_mean():
    network = start_autoencoder(TINY)
    x_B1HW = torch.randn(2, 1, 16, 16)
    z_BCHW = torch.randn(2, 2, 8, 8)
    assert torch.equal(
        encode(network, x_B1HW), network.encode(x_B1HW.repeat(1, 3, 1, 1)).latent_dist.parameters
    )
    assert torch.equal(decode(network, z_BCHW)[:, 0], network.decode(z_BCHW).sample.mean(1))


def test_kl_divergence_equals_torchs():
    mean = torch.randn(2, 3, 4, 4)
    logvar = torch.randn(2, 3, 4, 4)
    expected = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum((1, 2, 3)).mean()
    assert torch.allclose(autoencoder.kl_divergence(torch.cat([mean, logvar], 1)), expected)


def test_the_terms_of_the_loss_have_the_ratio_of_rombachs_code():
    """There both are sums: over the three channels of an image's pixels, and over the latent's elements."""
    torch.manual_seed(0)
    network = start_autoencoder(TINY)
    chosen = AutoencoderTraining(kl_weight=0.5, training=Training(steps=1, batch_size=2, learning_rate=1e-3))
    learner = AutoencoderLearner(network, chosen, 1, CPU)
    images_BHW = torch.randint(0, 256, (2, 16, 16), dtype=torch.uint8)
    losses = learner.update(images_BHW, images_BHW, torch.Generator().manual_seed(0))
    summed_error = losses["reconstruction"] * 3 * 16 * 16
    theirs = summed_error + 0.5 * losses["kl"]
    assert torch.allclose(losses["loss"] * 3 * 16 * 16, theirs)


def test_posterior_samples_have_its_moments():
    moments = torch.cat([torch.full((1, 1, 64, 64), 3.0), torch.full((1, 1, 64, 64), -2.0)], 1)
    noise = torch.randn((1, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    sampled = autoencoder.sample_posterior(moments, noise)
    assert abs(float(sampled.mean()) - 3) < 0.03
    assert abs(float(sampled.std()) - torch.tensor(-1.0).exp()) < 0.03


def test_overfits_a_few_images():
    torch.manual_seed(0)
    images_BHW = torch.full((4, 16, 16), 30, dtype=torch.uint8)
    images_BHW[0, 4:10, 4:10] = 220
    images_BHW[1, :, 8:] = 150
    images_BHW[2, 8:] = 90
    network = start_autoencoder(TINY)
    learner = AutoencoderLearner(network, settings(150), 150, CPU)
    for step in range(150):
        losses = learner.update(images_BHW, images_BHW, torch.Generator().manual_seed(step))
    assert set(losses) == {"loss", "reconstruction", "kl"}
    with torch.inference_mode():
        mean_BCHW = encode(learner.finished_network().eval(), to_signal(images_BHW)).chunk(2, 1)[0]
        decoded_BHW = to_images(decode(network, mean_BCHW))
    assert (decoded_BHW.float() - images_BHW).abs().mean() < 8
