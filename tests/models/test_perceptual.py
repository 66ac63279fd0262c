"""Perceptual loss: VGG-19 under torchvision's names, a plain encoder, frozen networks."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from segguided.config.models.perceptual import EncoderPerceptual, NoPerceptual, PlainEncoder, Vgg19Perceptual
from segguided.config.models.training import Training
from segguided.models.losses.perceptual import PerceptualLoss, Vgg19Features, load_perceptual, vgg19_loss
from segguided.models.plain_encoder import Encoder, EncoderLearner, shares_loss
from segguided.training.storage import save_network

CPU = torch.device("cpu")
# Index and channels of torchvision's vgg19().features convolutions up to relu5_1, and one beyond.
TORCHVISION = {
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    16: (256, 256), 19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512),
    30: (512, 512),
}  # fmt: skip


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    tensors = {"classifier.0.weight": torch.zeros(4, 4)}
    for index, (before, after) in TORCHVISION.items():
        tensors[f"features.{index}.weight"] = torch.randn(after, before, 3, 3) * (2 / (9 * before)) ** 0.5
        tensors[f"features.{index}.bias"] = torch.randn(after) * 0.1
    return tensors


@pytest.fixture(scope="module")
def pth(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(state, path)
    return path


def reference(state, x, last):
    """relu5_1 and the like by plain functions, from the published description of VGG-19."""
    for index in range(last + 1):
        if f"features.{index}.weight" in state:
            x = nn.functional.conv2d(
                x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1
            )
        elif index in (4, 9, 18, 27):
            x = nn.functional.max_pool2d(x, 2)
        else:
            x = x.relu()
    return x


def test_vgg_sees_the_range_of_the_images_as_spades_does(state, pth):
    """Their code gives images in [-1, 1] to VGG-19 without ImageNet's statistics."""
    network = Vgg19Features()
    network.load(pth)
    images = torch.rand(2, 1, 32, 32) * 2 - 1
    colour = images.repeat(1, 3, 1, 1)
    maps = network(images)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    for feature_map, last in zip(maps, (1, 6, 11, 20, 29), strict=True):
        assert torch.allclose(feature_map, reference(state, colour, last), atol=1e-4)


def test_safetensors_and_pth_give_the_same_loss_with_spades_weights(state, pth, tmp_path):
    save_file(state, tmp_path / "vgg19.safetensors")
    images, targets = torch.rand(2, 2, 1, 32, 32) * 2 - 1
    loss = vgg19_loss(pth)
    assert loss(images, targets) == vgg19_loss(tmp_path / "vgg19.safetensors")(images, targets)
    maps = zip(loss.features(images), loss.features(targets), strict=True)
    distances = [(image_map - target_map).abs().mean() for image_map, target_map in maps]
    weighted = sum(w * d for w, d in zip((1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), distances, strict=True))
    assert loss(images, targets) == pytest.approx(weighted.item(), rel=1e-5)
    assert loss(images, images) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"features.28.weight": None}, "features.28.weight"),
        ({"features.0.weight": torch.zeros(64, 1, 3, 3)}, "size mismatch"),
    ],
)
def test_other_weights_are_refused(state, tmp_path, change, reason):
    path = tmp_path / "other.pth"
    torch.save({name: value for name, value in (state | change).items() if value is not None}, path)
    with pytest.raises(
        ValueError, match=r"other\.pth does not hold VGG-19 under torchvision's names"
    ) as caught:
        vgg19_loss(path)
    assert reason in str(caught.value)


def test_a_pickle_that_runs_code_is_never_loaded(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "network.pth")
    with pytest.raises(ValueError, match="a pickle with code in it, which is never run"):
        vgg19_loss(tmp_path / "network.pth")


def encoder(channels=(4, 8, 16), convolutions=2):
    torch.manual_seed(0)
    training = Training(steps=1, batch_size=1, learning_rate=1)
    settings = PlainEncoder(channels=channels, convolutions=convolutions, training=training)
    return settings, Encoder(settings, 2)


@pytest.mark.parametrize("convolutions", [1, 2])
@pytest.mark.parametrize("channels", [(4, 8), (4, 8, 16, 32)])
def test_an_encoders_maps_halve_from_level_to_level(channels, convolutions):
    settings, network = encoder(channels, convolutions)
    maps = network(torch.randn(2, 1, 32, 32))
    assert [tuple(m.shape[1:]) for m in maps] == [(c, 32 >> i, 32 >> i) for i, c in enumerate(channels)]
    assert settings.stride == 32 // maps[-1].shape[-1]


def test_an_encoder_has_nothing_of_the_segmenter_that_measures():
    """No skip connection, residual unit, norm or decoder, so that no model is trained through the metric."""
    kinds = {type(part) for part in encoder()[1].modules()}
    assert kinds == {Encoder, nn.ModuleList, nn.Sequential, nn.Conv2d, nn.ReLU, nn.MaxPool2d}


def test_the_loss_of_an_encoder_is_the_cross_entropy_of_shares():
    masks = torch.zeros(1, 4, 4, dtype=torch.uint8)
    masks[0, :2, :2] = torch.tensor([[1, 1], [1, 0]])
    fine = torch.randn(1, 2, 4, 4)
    coarse = torch.randn(1, 2, 2, 2)
    shares = torch.tensor([[[0.75, 0.0], [0.0, 0.0]]])
    logs = coarse.log_softmax(1)
    expected = -(shares * logs[:, 1] + (1 - shares) * logs[:, 0]).mean()
    expected = (nn.functional.cross_entropy(fine, masks.long()) + expected) / 2
    assert shares_loss([fine, coarse], masks).item() == pytest.approx(expected.item(), rel=1e-5)


def test_an_encoder_learns_where_the_classes_are():
    masks = torch.zeros(4, 16, 16, dtype=torch.uint8)
    masks[:, 4:12, 2:8] = 1
    masks[:, 4:12, 9:14] = 2
    images = masks * 100
    training = Training(steps=60, batch_size=4, learning_rate=1e-2, precision="fp32")
    settings = PlainEncoder(channels=(8, 8), training=training)
    torch.manual_seed(0)
    learner = EncoderLearner(Encoder(settings, 2), settings, 60, CPU)
    losses = [learner.update(images, masks, torch.Generator())["loss"].item() for _ in range(60)]
    assert losses[-1] < losses[0] / 4


def test_the_network_is_frozen_and_the_gradient_reaches_the_images_only():
    loss = PerceptualLoss(encoder()[1])
    images, targets = torch.randn(2, 2, 1, 32, 32)
    images.requires_grad_()
    targets.requires_grad_()
    loss(images, targets).backward()
    assert images.grad.abs().sum() > 0
    assert targets.grad is None
    assert all(p.grad is None for p in loss.parameters())
    assert not loss.features.training


def test_the_loss_falls_as_images_come_closer():
    loss = PerceptualLoss(encoder()[1])
    images, targets = torch.randn(2, 2, 1, 32, 32)
    values = [loss(targets + far * (images - targets), targets).item() for far in (0, 0.1, 0.5, 1)]
    assert values == sorted(values)
    assert values[0] == 0


def test_settings_choose_the_network(pth, tmp_path):
    settings, network = encoder()
    save_network(network, tmp_path / "model.safetensors", {"encoder": settings.model_dump(), "n_classes": 2})
    loss = load_perceptual(
        EncoderPerceptual(kind="encoder", encoder=settings), tmp_path / "model.safetensors", CPU
    )
    images, targets = torch.randn(2, 2, 1, 32, 32)
    assert loss(images, targets) == PerceptualLoss(network)(images, targets)
    vgg = load_perceptual(Vgg19Perceptual(kind="vgg19", weights=str(pth)), pth, CPU)
    assert isinstance(vgg.features, Vgg19Features)
    assert load_perceptual(NoPerceptual(kind="none"), None, CPU) is None
    for perceptual, weights in (
        (NoPerceptual(kind="none"), pth),
        (EncoderPerceptual(kind="encoder", encoder=settings), None),
    ):
        with pytest.raises(ValueError, match=f"perceptual is {perceptual.kind}, but its weights are"):
            load_perceptual(perceptual, weights, CPU)
