"""SPADE: shapes, the paper's sizes, what discriminator and losses see, and that it learns to follow masks."""

import numpy as np
import pytest
import torch
from monai.networks.blocks.spade_norm import SPADE
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from segguided.config.models.spade import (
    AdversarialTraining,
    SpadeDiscriminator,
    SpadeGenerator,
    SpadeLosses,
    SpadeModel,
)
from segguided.data.slices import SliceSet, Stack
from segguided.generation.spade import make_sampler
from segguided.models.losses.adversarial import discriminator_losses, generator_losses
from segguided.models.losses.perceptual import PerceptualLoss
from segguided.models.spade import (
    Discriminator,
    Generator,
    bake_spectral_norm,
    initialise,
    normalise_spectrally,
)
from segguided.models.spade_learner import SpadeLearner, batches_of_masks

CPU = torch.device("cpu")
TINY = SpadeGenerator(channels=(8, 16), modulation_channels=8, norm="instance")
PAPER = SpadeGenerator(channels=(64, 128, 256, 512, 1024, 1024))


def settings(steps=100, generator=TINY, **training):
    fields = {"steps": steps, "batch_size": 4, "precision": "fp32", "ema_decay": 0.9} | training
    fields = {"mirror": False} | fields
    fields = {"generator_learning_rate": 2e-3, "discriminator_learning_rate": 2e-3} | fields
    return SpadeModel(
        kind="spade",
        generator=generator,
        discriminator=SpadeDiscriminator(channels=8, layers=2, scales=2),
        perceptual={"kind": "none"},
        first_weights="he",
        training=AdversarialTraining(**fields),
    )


def learner(model, n_classes=2, size=16, perceptual=None):
    torch.manual_seed(0)
    return SpadeLearner(
        Generator(model.generator, n_classes, size), model, perceptual, model.training.steps, CPU
    )


def squares(n=4, size=16):
    """Images whose grey value follows the class, and their masks."""
    generator = torch.Generator().manual_seed(0)
    masks_BHW = torch.zeros(n, size, size, dtype=torch.uint8)
    for mask_HW in masks_BHW:
        y, x = torch.randint(0, size // 2, (2,), generator=generator).tolist()
        mask_HW[y : y + 7, x : x + 7] = 1
        mask_HW[y + 2 : y + 5, x + 2 : x + 5] = 2
    return masks_BHW * 100 + 20, masks_BHW


@pytest.mark.parametrize(
    ("channels", "middle_blocks", "norm", "n_classes", "size", "blocks"),
    [
        ((8, 16), 1, "instance", 1, 16, [1, 1]),
        ((8, 16), 2, "batch", 3, 16, [1, 2]),
        ((4, 8, 8, 16), 2, "batch", 5, 32, [1, 2, 1, 1]),
    ],
)
def test_generator_shapes(channels, middle_blocks, norm, n_classes, size, blocks):
    network = Generator(
        SpadeGenerator(channels=channels, middle_blocks=middle_blocks, modulation_channels=8, norm=norm),
        n_classes,
        size,
    )
    images = network(torch.randint(0, n_classes + 1, (2, size, size), dtype=torch.uint8))
    assert images.shape == (2, 1, size, size)
    assert images.abs().max() < 1
    assert [len(level) for level in network.levels] == blocks


@pytest.mark.parametrize(("layers", "scales", "size"), [(2, 1, 16), (4, 2, 64), (3, 3, 32)])
def test_discriminator_shapes(layers, scales, size):
    network = Discriminator(SpadeDiscriminator(channels=4, layers=layers, scales=scales), 3)
    judged = network(torch.zeros(2, 1, size, size), torch.zeros(2, 3, size, size))
    assert [len(maps) for maps in judged] == [layers + 1] * scales
    assert all(maps[-1].shape[:2] == (2, 1) for maps in judged)
    areas = [maps[0].shape[-1] for maps in judged]
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) == scales


@pytest.fixture(scope="module")
def paper_networks():
    with torch.device("meta"):
        return Generator(PAPER, 34, 256), Discriminator(SpadeDiscriminator(), 35)


def test_paper_scale_is_spades_own(paper_networks):
    """The layout of the authors' generator for 256×256 and a discriminator, written down independently."""
    generator, discriminator = paper_networks
    wide = [(1024, 1024)] * 3 + [(1024, 512), (512, 256), (256, 128), (128, 64)]

    def convolution(c_in, c_out, kernel, bias=True):
        return c_in * c_out * kernel**2 + bias * c_out

    def spade(channels):
        return convolution(35, 128, 3) + 2 * convolution(128, channels, 3)

    def block(c_in, c_out):
        middle = min(c_in, c_out)
        size = spade(c_in) + spade(middle) + convolution(c_in, middle, 3) + convolution(middle, c_out, 3)
        return size + (spade(c_in) + convolution(c_in, c_out, 1, bias=False) if c_in != c_out else 0)

    expected = convolution(35, 1024, 3) + sum(block(*pair) for pair in wide) + convolution(64, 1, 3)
    assert sum(p.numel() for p in generator.parameters()) == expected
    judge = convolution(36, 64, 4) + convolution(512, 1, 4)
    judge += sum(convolution(c, 2 * c, 4, bias=False) for c in (64, 128, 256))
    assert sum(p.numel() for p in discriminator.parameters()) == 2 * judge
    assert generator.coarsest == 8


def test_the_layers_are_those_of_the_authors_code(paper_networks):
    """What their code has and MONAI's parts have otherwise: the ReLU below scale and shift, the padding."""
    generator, discriminator = paper_networks
    below = [spade.mlp_shared for spade in generator.modules() if isinstance(spade, SPADE)]
    assert len(below) > 10
    assert all([type(part) for part in shared.adn] == [nn.ReLU] for shared in below)
    convolutions = [part for part in discriminator.modules() if isinstance(part, nn.Conv2d)]
    assert {(part.kernel_size, part.padding) for part in convolutions} == {((4, 4), (2, 2))}
    assert [part.stride[0] for part in discriminator.scales[0].modules() if isinstance(part, nn.Conv2d)] == [
        2, 2, 2, 1, 1
    ]  # fmt: skip


def test_the_first_weights_are_xaviers_of_gain_0_02():
    torch.manual_seed(0)
    generator = Generator(SpadeGenerator(channels=(32, 64), modulation_channels=64), 2, 16)
    discriminator = Discriminator(SpadeDiscriminator(channels=32), 3)
    for network in (generator, discriminator):
        initialise(network, "xavier")
        for part in network.modules():
            if isinstance(part, nn.Conv2d) and part.weight.numel() > 4000:
                fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(part.weight)
                assert part.weight.std().item() == pytest.approx(
                    0.02 * (2 / (fan_in + fan_out)) ** 0.5, rel=0.05
                )
                assert part.bias is None or part.bias.abs().max() == 0


def test_he_weights_let_the_mask_speak_at_once():
    torch.manual_seed(0)
    generator = Generator(TINY, 2, 16)
    initialise(generator, "he")
    shared = next(part for part in generator.modules() if isinstance(part, SPADE)).mlp_shared.conv
    assert shared.weight.std().item() == pytest.approx((2 / (3 * 9)) ** 0.5, rel=0.2)


def test_a_mask_of_one_class_is_not_normalised_away():
    """What SPADE is for: masks of a single class each give another image."""
    torch.manual_seed(0)
    network = Generator(TINY, 2, 16)
    image_of_0 = network(torch.zeros(1, 16, 16))
    image_of_1 = network(torch.ones(1, 16, 16))
    assert (image_of_0 - image_of_1).abs().max() > 1e-3
    assert all(isinstance(s.mlp_gamma, nn.Conv2d) for s in network.modules() if isinstance(s, SPADE))


def test_spectral_norm_is_where_the_paper_has_it_and_is_baked_in():
    torch.manual_seed(0)
    generator = Generator(TINY, 2, 16)
    discriminator = Discriminator(SpadeDiscriminator(channels=4), 3)
    names = set(generator.state_dict())
    for network in (generator, discriminator):
        normalise_spectrally(network)
        for _ in range(30):
            for convolution in network.convolutions():
                convolution.weight  # noqa: B018 - a step of the power iteration
        largest = [torch.linalg.matrix_norm(c.weight.flatten(1), 2).item() for c in network.convolutions()]
        assert largest == pytest.approx([1] * len(largest), rel=0.05)
    assert len(list(generator.convolutions())) == 7
    assert not any(parametrize.is_parametrized(d[i].conv) for d in discriminator.scales for i in (0, -1))
    masks = squares()[1]
    before = generator.eval()(masks)
    bake_spectral_norm(generator)
    assert torch.equal(generator(masks), before)
    assert set(generator.state_dict()) == names


def test_the_discriminator_sees_the_mask():
    torch.manual_seed(0)
    network = Discriminator(SpadeDiscriminator(channels=4, layers=2), 3)
    images, masks = squares()
    images_B1HW = images[:, None].float()
    onehot = functional.one_hot(masks.long(), 3).movedim(-1, 1).float()
    judged, swapped = (network(images_B1HW, o) for o in (onehot, onehot.flip(0)))
    for maps, swapped_maps in zip(judged, swapped, strict=True):
        assert (maps[-1] - swapped_maps[-1]).abs().max() > 1e-4


def test_the_discriminator_learns_to_refuse_a_wrong_mask():
    """Real images are real beside their own masks and generated beside others: only the mask differs."""
    torch.manual_seed(0)
    images, masks = squares(8)
    x = images[:, None].float() / 127.5 - 1
    onehot = functional.one_hot(masks.long(), 3).movedim(-1, 1).float()
    network = Discriminator(SpadeDiscriminator(channels=8, layers=2), 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(60):
        loss = discriminator_losses((network(x, onehot.roll(1, 0)), network(x, onehot)))["discriminator"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1  # 2 if it cannot distinguish them


def test_losses_are_the_papers():
    """Hinge and feature matching by hand, for two scales of one map and a judgement."""
    generated = [[torch.tensor([1.0, 2.0]), torch.tensor([-3.0, 0.5])], [torch.zeros(2), torch.tensor([0.0])]]
    real = [[torch.tensor([0.0, 0.0]), torch.tensor([3.0, 0.5])], [torch.ones(2), torch.tensor([0.0])]]
    losses = generator_losses((generated, real)) | discriminator_losses((generated, real))
    assert losses["adversarial"] == pytest.approx((1.25 + 0) / 2)
    assert losses["discriminator"] == pytest.approx(((0 + 1.5) / 2 + (0 + 0.5) / 2 + 1 + 1) / 2)
    assert losses["feature_matching"] == pytest.approx((1.5 + 1) / 2)


def test_each_network_steps_down_the_gradient_of_its_own_loss_alone():
    images, masks = squares()
    joint = learner(settings())
    separate = learner(settings())
    for spade in (joint, separate):
        spade.descent.step = spade.discriminator_descent.step = lambda: None  # keep the gradients
    joint.update(images, masks, torch.Generator())
    real_B1HW = images[:, None].float() / 127.5 - 1
    losses = separate._generator_losses(real_B1HW, masks)
    total = losses["adversarial"] + 10 * losses["feature_matching"]
    generator = list(separate.generator.parameters())
    for parameter, gradient in zip(
        joint.generator.parameters(), torch.autograd.grad(total, generator), strict=True
    ):
        assert torch.allclose(parameter.grad, gradient, atol=1e-6)
    loss = separate._discriminator_losses(real_B1HW, masks)["discriminator"]
    loss.backward()
    assert all(parameter.grad is None for parameter in generator)
    for a, b in zip(joint.discriminator.parameters(), separate.discriminator.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-6)


def test_the_discriminator_sees_images_of_the_generator_after_its_step():
    images, masks = squares()
    spade = learner(settings())
    seen = []
    judge = spade._judge

    def watched(judging, generated_B1HW, real_B1HW, masks_BHW):
        seen.append(generated_B1HW.detach().clone())
        return judge(judging, generated_B1HW, real_B1HW, masks_BHW)

    spade._judge = watched
    spade.update(images, masks, torch.Generator())
    before, after = seen
    assert (before - after).abs().max() > 1e-4


def test_masks_for_batch_statistics_are_all_once_in_random_order():
    """Neighbouring slices are alike: in their order, a batch's statistics would be those of one place."""
    masks_SHW = np.arange(80, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    stack = Stack("p", masks_SHW, masks_SHW, np.arange(80.0), {"classes": ["square"]})
    masks = batches_of_masks(SliceSet([stack]), CPU)
    batches = list(masks())
    assert [len(batch) for batch in batches] == [32, 32, 16]
    numbers = torch.cat(batches)[:, 0, 0].tolist()
    assert sorted(numbers) == list(range(80))
    assert numbers != sorted(numbers)
    assert torch.equal(torch.cat(list(masks())), torch.cat(batches))


def test_the_averaged_weights_get_batch_statistics_of_their_own():
    """Over all masks, in place of those of the last steps' weights."""
    images, masks = squares(8)
    model = settings(generator=SpadeGenerator(channels=(8, 16), modulation_channels=8, norm="batch"))
    assert model.needs_statistics
    torch.manual_seed(0)
    generator = Generator(model.generator, 2, 16)
    spade = SpadeLearner(generator, model, None, 5, CPU, masks=lambda: iter(masks.split(8)))
    for _ in range(5):
        spade.update(images, masks, torch.Generator())
    network = spade.finished_network()
    assert not network.training or network.eval()
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    seen = []
    hook = norms[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    network.eval()(masks)
    hook.remove()
    assert torch.allclose(norms[0].running_mean, seen[0].mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norms[0].running_var, seen[0].var((0, 2, 3)), rtol=1e-3)


def test_micro_batches_add_up_to_the_batch():
    images, masks = squares()
    whole = learner(settings())
    parts = learner(settings(micro_batch_size=1))
    for spade in (whole, parts):
        spade.descent.step = spade.discriminator_descent.step = lambda: None  # keep the gradients
    sums = [spade.update(images, masks, torch.Generator()) for spade in (whole, parts)]
    assert sums[0].keys() == sums[1].keys()
    for name, loss in sums[0].items():
        assert loss.item() == pytest.approx(sums[1][name].item(), rel=0.02)
    a, b = (torch.cat([p.grad.flatten() for p in spade.generator.parameters()]) for spade in (whole, parts))
    assert functional.cosine_similarity(a, b, dim=0) > 0.99


@pytest.fixture(scope="module")
def overfitted():
    images, masks = squares()
    model = settings(80)
    spade = learner(model)
    for _ in range(80):
        spade.update(images, masks, torch.Generator())
    return spade.finished_network(), images, masks


def test_overfits_four_images(overfitted):
    network, images, masks = overfitted
    generated = make_sampler(network.eval(), "fp32")(masks, [])
    assert (generated.float() - images.float()).abs().mean() < 12


def test_swapping_the_mask_changes_the_image_as_it_should(overfitted):
    network, images, masks = overfitted
    generated = make_sampler(network.eval(), "fp32")(masks.flip(0), []).float()
    assert (generated - images.flip(0).float()).abs().mean() * 2 < (generated - images.float()).abs().mean()


def test_the_perceptual_loss_reaches_the_generator_alone():
    images, masks = squares()
    features = nn.Conv2d(1, 4, 3)
    features_list = nn.Module()
    features_list.conv = features
    features_list.forward = lambda x: [features(x)]
    weights = SpadeLosses(adversarial=0, feature_matching=0, perceptual=10)
    model = settings().model_copy(update={"losses": weights})
    spade = learner(model, perceptual=PerceptualLoss(features_list))
    first = spade.update(images, masks, torch.Generator())["perceptual"]
    for _ in range(30):
        last = spade.update(images, masks, torch.Generator())["perceptual"]
    assert last < first / 2
    assert features.weight.grad is None


def test_rates_are_constant_and_then_fall_to_zero():
    images, masks = squares()
    spade = learner(
        settings(10, decay_share=0.4, generator_learning_rate=1e-4, discriminator_learning_rate=4e-4)
    )
    rates = []
    for _ in range(10):
        rates.append(
            [d.optimizer.param_groups[0]["lr"] for d in (spade.descent, spade.discriminator_descent)]
        )
        spade.update(images, masks, torch.Generator())
    assert [r for r, _ in rates] == pytest.approx([1e-4] * 7 + [7.5e-5, 5e-5, 2.5e-5])
    assert [r for _, r in rates] == pytest.approx([4 * r for r, _ in rates])
    assert spade.descent.optimizer.param_groups[0]["betas"] == (0.0, 0.9)


def test_judges_are_monais():
    judges = Discriminator(SpadeDiscriminator(), 3).scales
    assert all(isinstance(judge, PatchDiscriminator) for judge in judges)
