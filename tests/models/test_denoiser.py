"""Shapes, encodings, the paper's size in parameters and FLOP, and that the mask matters."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet
from segguided.config.sampling import Sampling
from segguided.generation.sampling import initial_noise, make_scheduler, sample
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser
from segguided.models.masks import MaskEncoder
from segguided.models.signals import to_images

CPU = torch.device("cpu")
PAPER = Unet(channels=(128, 128, 256, 256, 512, 512), attention_levels=(4,))
TINY = Unet(channels=(16, 32), norm_groups=8, layers_per_block=1)


def settings(unet=TINY, conditioning="onehot", prediction_type="v_prediction", steps=200, **training):
    training = {"learning_rate": 3e-3, "batch_size": 4, "steps": steps, "precision": "fp32", **training}
    return DiffusionModel(
        kind="diffusion",
        conditioning=conditioning,
        prediction_type=prediction_type,
        unet=unet,
        training=Training(**training),
    )


@pytest.mark.parametrize(
    ("conditioning", "channels"), [("none", 0), ("index255", 1), ("index255_rgb", 3), ("onehot", 4)]
)
def test_mask_encoder_channels(conditioning, channels):
    mask_BHW = torch.randint(0, 4, (2, 8, 8), dtype=torch.uint8)
    mask_BKHW = MaskEncoder(conditioning, 3)(mask_BHW)
    assert mask_BKHW.shape == (2, channels, 8, 8)
    if conditioning == "index255_rgb":
        assert torch.equal(mask_BKHW, MaskEncoder("index255", 3)(mask_BHW).repeat(1, 3, 1, 1))
    if conditioning == "index255":
        assert torch.equal((mask_BKHW[:, 0] * 255).round().to(torch.uint8), mask_BHW)
    if conditioning == "onehot":
        assert torch.equal(mask_BKHW.argmax(1).to(torch.uint8), mask_BHW)
        assert torch.equal(mask_BKHW.sum(1), torch.ones(2, 8, 8))


@pytest.mark.parametrize("conditioning", ["none", "index255", "onehot"])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("size", [16, 32])
def test_prediction_has_the_shape_of_the_image(conditioning, patch, size):
    unet = TINY.model_copy(update={"patch": patch})
    network = MaskedDenoiser(settings(unet, conditioning), 3, size)
    mask_BHW = torch.randint(0, 4, (2, size, size), dtype=torch.uint8)
    assert network(torch.randn(2, 1, size, size), torch.tensor([0, 999]), mask_BHW).shape == (
        2,
        1,
        size,
        size,
    )


@pytest.fixture(scope="module")
def paper_network():
    with torch.device("meta"):
        return MaskedDenoiser(settings(PAPER, "index255", "epsilon"), 3, 256)


def test_paper_scale_parameters(paper_network):
    assert sum(p.numel() for p in paper_network.parameters()) == 113_669_761


def test_paper_scale_flop(paper_network):
    x_BCHW = torch.zeros(1, 1, 256, 256, device="meta")
    t_B = torch.zeros(1, dtype=torch.long, device="meta")
    mask_BHW = torch.zeros(1, 256, 256, dtype=torch.uint8, device="meta")
    with FlopCounterMode(display=False) as forward:
        paper_network(x_BCHW, t_B, mask_BHW)
    with FlopCounterMode(display=False) as training:
        paper_network(x_BCHW, t_B, mask_BHW).sum().backward()
    assert round(forward.get_total_flops() / 1e9, 1) == 496.6
    assert round(training.get_total_flops() / 1e9, 1) == 1489.4


def test_paper_unet_has_attention_where_the_paper_says(paper_network):
    down = [type(block).__name__ for block in paper_network.unet.down_blocks]
    up = [type(block).__name__ for block in paper_network.unet.up_blocks]
    assert down == ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"]
    assert up == ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4


def test_patch_positions_line_up_with_the_image():
    """Space-to-depth and back is the identity: a UNet that copies its first channels copies the image."""
    unet = TINY.model_copy(update={"patch": 2})
    network = MaskedDenoiser(settings(unet, "index255"), 3, 16)

    class Copy(torch.nn.Module):
        def forward(self, x, t):
            return type("Output", (), {"sample": x[:, :4]})

    network.unet = Copy()
    x_BCHW = torch.randn(1, 1, 16, 16)
    assert torch.equal(network(x_BCHW, torch.tensor([0]), torch.zeros(1, 16, 16)), x_BCHW)


def test_unequal_image_and_mask_are_refused():
    network = MaskedDenoiser(settings(), 3, 16)
    with pytest.raises(ValueError, match="differ"):
        network(torch.zeros(1, 1, 16, 16), torch.tensor([0]), torch.zeros(1, 8, 8))


def trained(masks_BHW, images_BHW, mask_ablation, steps):
    torch.manual_seed(0)
    chosen = settings(conditioning="onehot", steps=steps).model_copy(update={"mask_ablation": mask_ablation})
    network = MaskedDenoiser(chosen, 1, 16)
    learner = DiffusionLearner(network, chosen, steps, CPU)
    losses = [
        learner.update(images_BHW, masks_BHW, torch.Generator().manual_seed(step))["loss"]
        for step in range(steps)
    ]
    return learner.finished_network().eval(), chosen, torch.stack(losses)


@pytest.mark.parametrize(("mask_ablation", "steps", "share"), [("none", 250, 0.2), ("sample", 400, 0.5)])
def test_overfits_a_few_images_and_follows_the_mask(mask_ablation, steps, share):
    """Two masks, two grey levels: after training, the mask alone decides which image comes out."""
    masks_BHW = torch.zeros(4, 16, 16, dtype=torch.uint8)
    masks_BHW[0::2, :, 8:] = 1
    masks_BHW[1::2, 8:, :] = 1
    images_BHW = masks_BHW * 200 + 20
    network, chosen, losses = trained(masks_BHW, images_BHW, mask_ablation, steps)
    assert losses[-20:].mean() < share * losses[:20].mean()
    noise_BCHW = initial_noise(0, ["a", "b"], 16)
    sampler = make_scheduler(
        chosen, Sampling(sampler="dpm-solver++", steps=10, timestep_spacing="trailing", batch_size=2)
    )
    images = to_images(sample(network, sampler, noise_BCHW, masks_BHW[:2])).float()
    swapped = to_images(sample(network, sampler, noise_BCHW, masks_BHW[:2].flip(0))).float()
    assert (images - images_BHW[:2]).abs().mean() < 15
    assert (swapped - images_BHW[:2].flip(0)).abs().mean() < 15
    assert (images - swapped).abs().mean() > 50
