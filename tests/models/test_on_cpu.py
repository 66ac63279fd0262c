"""Networks in channels_last order on a CPU: the same results as torch's own, and no layer loses the order."""

import copy
from itertools import chain

import pytest
import torch
from torch import nn
from torch.nn import functional

from segguided.config.models.controlnet import (
    AutoencoderSize,
    AutoencoderTraining,
    ControlTraining,
    LatentUnetSize,
)
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.perceptual import PlainEncoder
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import SpadeDiscriminator, SpadeGenerator
from segguided.models.controlnet.autoencoder import AutoencoderLearner, decode, encode, start_autoencoder
from segguided.models.controlnet.control import add_control
from segguided.models.controlnet.latent import LatentDenoiser, build_latent_unet
from segguided.models.denoiser import build_denoiser
from segguided.models.losses.adversarial import judge, judge_for_generator
from segguided.models.on_cpu import order
from segguided.models.on_cpu.norms import instance_norm, keep_order
from segguided.models.on_cpu.order import add_to_channels, as_stored, in_fast_order, is_turned
from segguided.models.plain_encoder import Encoder
from segguided.models.segmenter import build_segmenter
from segguided.models.spade import Discriminator, Generator, normalise_spectrally

SIDE = 64
TRAINING = {"steps": 10, "batch_size": 2, "learning_rate": 1e-3}


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def turned(x_BCHW):
    return x_BCHW.detach().contiguous(memory_format=torch.channels_last).requires_grad_()


def bf16():
    return torch.autocast("cpu", torch.bfloat16)


@pytest.fixture
def as_in_bf16(monkeypatch):
    """The code for turned images, in fp32: what it computes can be told from rounding."""
    monkeypatch.setattr(order, "_computes_bf16", lambda: True)


@pytest.mark.parametrize("side", [5, 16, 32, 33, 64])
@pytest.mark.parametrize("groups", [1, 4, 16])
@pytest.mark.usefixtures("as_in_bf16")
def test_a_norm_and_its_gradients_are_torchs(side, groups):
    x = 3 * numbers(2, 16, side, side) + 5 * numbers(16, seed=1).view(-1, 1, 1)
    plain = nn.GroupNorm(groups, 16)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    ours = copy.deepcopy(plain)
    keep_order(ours)
    upstream = numbers(2, 16, side, side, seed=2)
    results = []
    for norm, images in ((plain, x.requires_grad_()), (ours, turned(x))):
        normed = norm(images)
        gradients = torch.autograd.grad(normed, (images, norm.weight, norm.bias), upstream)
        results.append((normed, *gradients))
    assert is_turned(results[1][0])
    assert is_turned(results[1][1])
    for theirs, our in zip(*results, strict=True):
        assert torch.allclose(our, theirs, rtol=1e-4, atol=1e-4 * theirs.detach().abs().max().item())


@pytest.mark.usefixtures("as_in_bf16")
def test_an_instance_norm_without_weights_is_torchs():
    x = numbers(2, 8, 40, 40) + 3
    upstream = numbers(2, 8, 40, 40, seed=1)
    theirs = functional.instance_norm(x.requires_grad_())
    images = turned(x)
    ours = instance_norm(images)
    assert torch.allclose(ours, theirs, atol=1e-4)
    (of_theirs,) = torch.autograd.grad(theirs, x, upstream)
    (of_ours,) = torch.autograd.grad(ours, images, upstream)
    assert torch.allclose(of_ours, of_theirs, atol=1e-4)


def test_a_norm_in_bf16_rounds_about_as_much_as_torchs():
    x = (numbers(2, 16, 64, 64) + 2).bfloat16()
    upstream = numbers(2, 16, 64, 64, seed=1).bfloat16()
    gradients = {}
    for name, images, slope in (("exact", x.float(), upstream.float()), ("torch", x, upstream)):
        images.requires_grad_()
        (gradients[name],) = torch.autograd.grad(functional.group_norm(images, 4), images, slope)
    norm = nn.GroupNorm(4, 16, affine=False)
    keep_order(norm)
    images = turned(x)
    with bf16():
        normed = norm(images)
    assert normed.stride(1) == 1
    (gradients["ours"],) = torch.autograd.grad(normed, images, upstream)
    errors = {name: (gradient.float() - gradients["exact"]).norm() for name, gradient in gradients.items()}
    assert 0 < errors["ours"] < 2.5 * errors["torch"]


@pytest.mark.parametrize("mean", [0, 1, 3, 10])
@pytest.mark.parametrize("side", [33, 64])
def test_a_mean_far_from_0_costs_a_weights_gradient_no_precision(side, mean):
    """Of sums of bf16 products, most would cancel."""
    x = (numbers(2, 16, side, side) + mean).bfloat16()
    upstream = (0.5 * numbers(2, 16, side, side, seed=1) + 0.5).bfloat16()
    exact = torch.autograd.grad(
        functional.group_norm(x.double(), 16, weight := torch.ones(16, dtype=torch.float64).requires_grad_()),
        weight,
        upstream.double(),
    )[0]
    norm = nn.GroupNorm(16, 16)
    keep_order(norm)
    images = turned(x)
    with bf16():
        normed = norm(images)
    of_image, of_weight = torch.autograd.grad(normed, (images, norm.weight), upstream)
    assert (of_weight.double() - exact).norm() < 0.03 * exact.norm()
    # The gradient has no part along the image's mean.
    assert of_image.double().mean((2, 3)).abs().max() < 0.01 * of_image.double().std()


def test_an_image_without_a_batch_is_left_to_torch():
    x = numbers(8, 16, 16)
    norm = nn.InstanceNorm2d(8)
    expected = norm(x)
    keep_order(norm)
    assert torch.equal(norm(x), expected)


@pytest.mark.usefixtures("as_in_bf16")
def test_a_prelu_and_its_gradients_are_torchs():
    x = numbers(2, 8, 20, 20)
    plain = nn.PReLU(init=-0.3)
    ours = copy.deepcopy(plain)
    keep_order(ours)
    upstream = numbers(2, 8, 20, 20, seed=1)
    results = []
    for activation, images in ((plain, x.requires_grad_()), (ours, turned(x))):
        active = activation(images)
        results.append((active, *torch.autograd.grad(active, (images, activation.weight), upstream)))
    for theirs, our in zip(*results, strict=True):
        assert torch.allclose(our, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("as_in_bf16")
def test_a_value_is_added_to_each_channel():
    x, value = turned(numbers(2, 8, 20, 20)), numbers(2, 8, seed=1).requires_grad_()
    result = add_to_channels(x, value)
    assert is_turned(result)
    assert torch.equal(result, x + value[:, :, None, None])
    (gradient,) = torch.autograd.grad(result, value, numbers(2, 8, 20, 20, seed=2))
    assert torch.allclose(gradient, numbers(2, 8, 20, 20, seed=2).sum((2, 3)), atol=1e-4)


def test_images_are_turned_in_bf16_alone():
    images, grey = numbers(2, 3, 8, 8), numbers(2, 1, 8, 8)
    assert in_fast_order(images) is images
    assert not is_turned(turned(images))
    with bf16():
        assert is_turned(in_fast_order(images))
        assert torch.equal(in_fast_order(images), images)
        assert nn.Conv2d(1, 4, 3)(in_fast_order(grey)).is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(in_fast_order(grey), grey.bfloat16())
        assert as_stored(images) is images
        assert as_stored(turned(images)).is_contiguous()


MASKS = torch.randint(0, 4, (2, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
IMAGES = numbers(2, 1, SIDE, SIDE).clamp(-1, 1)


def diffusion(**settings):
    model = DiffusionModel(kind="diffusion", training=TRAINING, conditioning="onehot", **settings)
    network = build_denoiser(model, 3, SIDE)
    x_BCHW, t_B = numbers(2, 1 + model.noise_inputs, SIDE, SIDE), torch.tensor([3, 500])
    return network, lambda: network(x_BCHW, t_B, MASKS)


def unet():
    return diffusion(unet={"channels": [8, 16, 16], "attention_levels": [], "norm_groups": 4})


def decoder():
    return diffusion(
        unet=None,
        decoder={"channels": [8, 16, 16], "modulation_channels": 8},
        losses={"energy_score": {"levels": 2}, "squared_error": 0.0},
        prediction_type="sample",
    )


def spade():
    settings = SpadeGenerator(channels=(8, 16, 16), modulation_channels=8, norm="instance")
    network = Generator(settings, 3, SIDE)
    return network, lambda: network(MASKS)


def mean_sizes(maps):
    return torch.stack([as_stored(map_BCHW).float().abs().mean() for map_BCHW in maps])


def discriminator():
    network = Discriminator(SpadeDiscriminator(channels=8, layers=3), 3)
    onehot_BKHW = functional.one_hot(MASKS, 4)[..., 1:].movedim(3, 1).float()
    return network, lambda: mean_sizes(chain.from_iterable(network(IMAGES, onehot_BKHW)))


def encoder():
    network = Encoder(PlainEncoder(channels=[8, 16], training=TRAINING), 3)
    return network, lambda: mean_sizes(network(IMAGES))


def segmenter():
    network = build_segmenter(Segmenter(channels=(8, 16), training=TRAINING), 3)
    return network, lambda: network(in_fast_order(IMAGES))


def autoencoder():
    size = AutoencoderSize(
        channels=(8, 8), latent_channels=2, layers_per_block=1, norm_groups=4, attention=False
    )
    network = start_autoencoder(size)
    AutoencoderLearner(network, AutoencoderTraining(training=TRAINING, kl_weight=0), 9, torch.device("cpu"))
    return network, lambda: decode(network, encode(network, IMAGES)[:, :2])


def controlnet():
    size = LatentUnetSize(channels=(8, 16), layers_per_block=1, norm_groups=4)
    denoiser = LatentDenoiser(build_latent_unet(size, 2), torch.zeros(1, 1, 8))
    settings = ControlTraining(
        conditioning="onehot", hint_channels=(4, 8), training=TRAINING, sd_locked=False
    )
    network = add_control(denoiser, autoencoder()[0], settings, 3)
    z_BCHW, t_B = numbers(2, 2, SIDE // 2, SIDE // 2), torch.tensor([3, 500])
    return network, lambda: network(z_BCHW, t_B, MASKS)


NETWORKS = (unet, decoder, spade, discriminator, encoder, segmenter, autoencoder, controlnet)


@pytest.mark.parametrize("build", NETWORKS)
def test_no_layer_loses_the_order_and_no_gradient_does(build):
    """A layer that did would turn all that follows, and be slower than torch's own order."""
    torch.manual_seed(0)
    network, call = build()
    lost = []

    def watch(name, place):
        def look(tensor):
            # The gradient of a part of joined channels is a part of theirs: then there are others between.
            if tensor.dim() == 4 and tensor.shape[1] > 1 and tensor.shape[2] > 1 and tensor.stride(1) > 1:
                lost.append((name, place, tuple(tensor.shape)))

        return look

    def look_at(name):
        def hook(module, inputs, result):
            if isinstance(result, torch.Tensor):
                watch(name, "result")(result)
                if result.requires_grad:
                    result.register_hook(watch(name, "gradient"))

        return hook

    layers = (nn.Conv2d, nn.GroupNorm, nn.InstanceNorm2d, nn.PReLU, nn.SiLU, nn.LeakyReLU, nn.ReLU)
    watched = [(name, module) for name, module in network.named_modules() if isinstance(module, layers)]
    assert len(watched) > 3
    for name, module in watched:
        module.register_forward_hook(look_at(name))
    with bf16():
        result = call()
        loss = as_stored(result).float().square().mean()
    loss.backward()
    assert not [one for one in lost if not is_at_the_end(build, *one)]


def is_at_the_end(build, name, place, shape):
    """Where a loss begins: its gradient has torch's own order, and is turned once."""
    if build is segmenter:
        return place == "gradient" and shape[1] == 4 and shape[2] == SIDE
    return place == "gradient" and name in ("decoder.conv_out", "quant_conv")


@pytest.mark.parametrize("build", NETWORKS)
def test_gradients_are_as_near_to_those_of_fp32_as_in_torchs_own_order(build, monkeypatch):
    torch.manual_seed(0)
    network, call = build()

    def gradients(precision):
        with precision:
            result = call()
        loss = (result.float() * numbers(*result.shape, seed=5)).sum()
        found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
        return torch.cat([one.flatten() for one in found if one is not None])

    exact = gradients(torch.autocast("cpu", enabled=False))
    ours = gradients(bf16())
    monkeypatch.setattr(order, "_computes_bf16", lambda: False)
    theirs = gradients(bf16())
    assert torch.equal(ours, theirs) == (build is encoder)  # without norms, no bit differs
    error, usual = (ours - exact).norm(), (theirs - exact).norm()
    assert error <= 1.5 * usual + 1e-3 * exact.norm()


def test_a_generators_step_judges_as_one_batch_does():
    torch.manual_seed(0)
    discriminator = Discriminator(SpadeDiscriminator(channels=8, layers=3), 3)
    normalise_spectrally(discriminator)
    twin = copy.deepcopy(discriminator)
    masks = torch.randint(0, 2, (2, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1)).float()
    real, made = numbers(2, 1, SIDE, SIDE), numbers(2, 1, SIDE, SIDE, seed=1)
    together_images, apart_images = made.clone().requires_grad_(), made.clone().requires_grad_()
    together = judge(twin, together_images, real, masks)
    apart = judge_for_generator(discriminator, apart_images, real, masks)
    for halves in zip(together, apart, strict=True):
        for one, other in zip(*halves, strict=True):
            for theirs, ours in zip(one, other, strict=True):
                assert torch.allclose(theirs, ours, atol=1e-5)
    gradients = [
        torch.autograd.grad(sum(scale[-1].mean() for scale in generated), images)[0]
        for (generated, _), images in ((together, together_images), (apart, apart_images))
    ]
    assert torch.allclose(*gradients, atol=1e-7)
    assert not apart[1][0][0].requires_grad
    # Spectral norms are computed once a call, for both halves.
    for theirs, ours in zip(twin.buffers(), discriminator.buffers(), strict=True):
        assert torch.equal(theirs, ours)
