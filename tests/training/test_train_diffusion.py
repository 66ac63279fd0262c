"""train_diffusion with losses on the predicted image, and images of it in one to four calls."""

import csv
import json

import numpy as np
import pytest
import torch

from export_model import export_model
from generate_diffusion import generate_diffusion
from segguided.config.models.denoiser_losses import DenoiserLosses
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.perceptual import PlainEncoder
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.slices import read_generated, write_stack
from segguided.files import sha256_of
from segguided.models.denoiser import build_denoiser
from segguided.models.losses.energy_score import scales_of, score
from segguided.models.losses.of_maps import MapLosses
from segguided.models.losses.perceptual import PerceptualLoss, Vgg19Features
from segguided.models.plain_encoder import Encoder
from segguided.models.prediction_learner import PredictionLearner
from segguided.models.signals import to_signal
from segguided.models.tissues.division import Division
from support.tissues import spotted_squares, tiny_tissues
from train_diffusion import train_diffusion
from train_perceptual import train_perceptual

CPU = torch.device("cpu")
ENERGY = {"squared_error": 0, "energy_score": {"levels": 3}, "slope_outside": 0.1}
DECODER = {"channels": (8, 16), "modulation_channels": 8}
EVERYTHING = {
    "squared_error": 0.5,
    "energy_score": {"levels": 2},
    "sliced_wasserstein": 0.1,
    "adversarial": 0.05,
    "feature_matching": 0.5,
    "discriminator": {"channels": 4, "layers": 2, "scales": 1},
    "from_step": 2,
}


def settings(losses, steps=300, **more):
    values = {
        "kind": "diffusion",
        "conditioning": "onehot",
        "prediction_type": "sample",
        "losses": losses,
        "unet": {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1},
        "training": {"steps": steps, "batch_size": 8, "learning_rate": 5e-3, "ema_decay": 0.9},
    }
    return DiffusionModel.model_validate(values | more)


def generate(weights, slices, output, steps=1, seed=0):
    sampling = Sampling(sampler="renoise", steps=steps, batch_size=5, precision="fp32")
    generate_diffusion(weights, sampling, [[slices]], [output], seed)
    images_SHW, _names = read_generated(output)
    return images_SHW


@pytest.fixture(scope="module")
def weights(slices):
    output = slices.parent / "model.safetensors"
    train_diffusion([slices], settings(ENERGY), 1, 0, output, 600)
    return output


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_it_generates_what_a_mask_may_show_and_not_its_mean(weights, slices, tmp_path, steps):
    """The control that learns the squared error paints 120 here."""
    images_SHW = generate(weights, slices, tmp_path / "test.npz", steps)
    inside_S = images_SHW[:, 6:10, 6:10].mean((1, 2))
    assert (np.abs(inside_S - 60) < 35).sum() >= 3
    assert (np.abs(inside_S - 180) < 35).sum() >= 3
    assert images_SHW[:, :3].mean() < 5, "outside the mask all images are black"


def test_images_are_a_function_of_seed_and_mask_id_alone(weights, slices, tmp_path):
    first_SHW = generate(weights, slices, tmp_path / "first.npz", 2)
    assert np.array_equal(first_SHW, generate(weights, slices, tmp_path / "again.npz", 2))
    assert not np.array_equal(first_SHW, generate(weights, slices, tmp_path / "other.npz", 2, seed=1))


def test_training_with_every_loss_gives_the_same_bytes_again(slices, tmp_path):
    for name in ("first", "second"):
        train_diffusion(
            [slices], settings(EVERYTHING, steps=4), 1, 0, tmp_path / name / "model.safetensors", 600
        )
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second
    header = (tmp_path / "first/history.csv").read_text().splitlines()[0]
    for column in ("energy_score", "sliced_wasserstein", "adversarial", "feature_matching", "discriminator"):
        assert column in header


ENCODER = PlainEncoder(channels=(8, 16), training=Training(steps=20, batch_size=4, learning_rate=1e-2))
PERCEPTUAL = {
    **ENERGY,
    "perceptual": 0.1,
    "perceptual_network": {"kind": "encoder", "encoder": ENCODER.model_dump()},
}


# Both of what maps can be for: a distance of each prediction, and the score of two.
MAPS = {**PERCEPTUAL, "energy_score": {"levels": 3, "blocks": 0.5, "perceptual": 0.3}}


@pytest.fixture(scope="module")
def perceptual(slices):
    train_perceptual([slices], ENCODER, 1, 0, slices.parent / "perceptual/model.safetensors")
    return slices.parent / "perceptual/model.safetensors"


def test_a_perceptual_loss_is_one_of_the_terms_and_its_network_is_recorded(slices, perceptual, tmp_path):
    weights = {}
    for name, losses, network in (
        ("first", PERCEPTUAL, perceptual),
        ("second", PERCEPTUAL, perceptual),
        ("without", ENERGY, None),
    ):
        output = tmp_path / name / "model.safetensors"
        train_diffusion([slices], settings(losses, steps=3), 1, 0, output, 600, perceptual=network)
        weights[name] = output.read_bytes()
    assert weights["first"] == weights["second"] != weights["without"]
    description = json.loads((tmp_path / "first/config.json").read_text())
    assert description["perceptual_sha256"] == sha256_of(perceptual)
    assert "perceptual_sha256" not in json.loads((tmp_path / "without/config.json").read_text())
    assert "perceptual" in (tmp_path / "first/history.csv").read_text().splitlines()[0]


@pytest.mark.parametrize("losses", [PERCEPTUAL, ENERGY])
def test_weights_of_a_perceptual_network_are_given_where_it_is_asked_for(
    losses, slices, perceptual, tmp_path
):
    given = None if losses is PERCEPTUAL else perceptual
    output = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match=r"perceptual is .*, but its weights are .*; change either"):
        train_diffusion([slices], settings(losses, steps=3), 1, 0, output, 600, perceptual=given)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def decoder_weights(slices):
    model = settings(ENERGY, unet=None, decoder=DECODER)
    train_diffusion([slices], model, 1, 0, slices.parent / "decoder/model.safetensors", 600)
    return slices.parent / "decoder/model.safetensors"


def test_a_decoder_generates_what_a_mask_may_show(decoder_weights, slices, tmp_path):
    images_SHW = generate(decoder_weights, slices, tmp_path / "test.npz", 2)
    inside_S = images_SHW[:, 6:10, 6:10].mean((1, 2))
    assert (np.abs(inside_S - 60) < 35).sum() >= 3
    assert (np.abs(inside_S - 180) < 35).sum() >= 3


def test_a_decoder_is_not_exported_for_diffusers(decoder_weights, tmp_path):
    with pytest.raises(ValueError, match="diffusers has no class or sampler for it: use export_program"):
        export_model(decoder_weights, "trailing", tmp_path / "README.md")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unet": None}, "expected either unet or decoder, got neither"),
        ({"decoder": {"channels": (8, 8)}}, "expected either unet or decoder, got both"),
        (
            {"unet": None, "decoder": DECODER, "prediction_type": "epsilon"},
            "ends in an image",
        ),
        ({"prediction_type": "epsilon"}, "losses other than the squared error see the predicted image"),
        ({"conditioning": "onehot_free"}, "no class is free in training"),
        ({"min_snr_gamma": 5}, "weighs the squared error of the paper's loss alone"),
        (
            {"ablated_share": 0.5},
            "only `sample` can leave some images of a batch as they are",
        ),
    ],
)
def test_settings_that_cannot_train_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        settings(ENERGY, **values)


def learner(losses, maps_of=None, **more):
    """`maps_of`: the network of the perceptual loss."""
    torch.manual_seed(0)
    model = settings(losses, steps=10, **more)
    loss = PerceptualLoss(maps_of) if maps_of else None
    division = Division(2, {1: (90,)}, 1) if model.tissues else None
    return PredictionLearner(build_denoiser(model, 2, 16, division=division), model, 10, CPU, loss)


def encoder():
    torch.manual_seed(1)
    return Encoder(ENCODER, 2)


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    images_BHW = torch.randint(0, 255, (4, 16, 16), dtype=torch.uint8, generator=generator)
    return images_BHW, torch.randint(0, 3, (4, 16, 16), dtype=torch.uint8, generator=generator)


def steps_of(learner, numbers):
    images_BHW, masks_BHW = batch()
    return [
        learner.update(images_BHW, masks_BHW, torch.Generator().manual_seed(number)) for number in numbers
    ]


ABLATED = {"conditioning": "onehot_free", "mask_ablation": "sample", "ablated_share": 0.5}


@pytest.mark.parametrize("more", [ABLATED, {"tissues": tiny_tissues()}])
def test_a_resumed_training_goes_on_as_if_it_had_not_stopped(more):
    whole = learner(EVERYTHING, **more)
    steps_of(whole, range(5))
    stopped = learner(EVERYTHING, **more)
    steps_of(stopped, range(3))
    resumed = learner(EVERYTHING, **more)
    resumed.load_state_dict(stopped.state_dict())
    steps_of(resumed, (3, 4))
    for expected, got in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(expected, got)


def test_tissues_are_recorded_and_images_made_from_masks_of_classes(tmp_path):
    """From the slices to images, as the pipeline does it."""
    (stack,) = spotted_squares().stacks
    write_stack(tmp_path / "p.npz", stack)
    model = settings(ENERGY, steps=5, tissues=tiny_tissues(), unet=None, decoder=DECODER)
    for name in ("first", "second"):
        train_diffusion([tmp_path / "p.npz"], model, 1, 0, tmp_path / name / "model.safetensors", 600)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second
    description = json.loads((tmp_path / "first/config.json").read_text())
    assert description["n_classes"] == 1
    assert description["tissues"]["cuts"].keys() == {"1"}
    header = (tmp_path / "first/history.csv").read_text().splitlines()[0]
    assert "tissues_in_cells_of_4" in header
    images_SHW = generate(tmp_path / "first/model.safetensors", tmp_path / "p.npz", tmp_path / "test.npz")
    assert images_SHW.shape == stack.images_SHW.shape


@pytest.mark.parametrize("count", [8, 24])
def test_an_epoch_without_a_step_of_the_tissues_leaves_their_losses_empty(tmp_path, count):
    """One step of 8 an epoch, or three; tissues train in the steps 0 and 2 of four."""
    (stack,) = spotted_squares(count=count).stacks
    write_stack(tmp_path / "p.npz", stack)
    model = settings(ENERGY, steps=4, tissues=tiny_tissues(), unet=None, decoder=DECODER)
    train_diffusion([tmp_path / "p.npz"], model, 1, 0, tmp_path / "model.safetensors", 600)
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    empty = [row["tissues_in_cells_of_4"] == "" for row in rows]
    assert empty == ([False, True, False, True] if count == 8 else [False, True])
    losses = [float(row["tissues_in_cells_of_4"]) for row in rows if row["tissues_in_cells_of_4"]]
    assert all(0.2 < loss < 2 for loss in losses), "a mean over the steps that have it"


def test_operations_are_counted_over_steps_with_and_without_tissues(tmp_path):
    (stack,) = spotted_squares().stacks
    write_stack(tmp_path / "p.npz", stack)
    flops = {}
    for every in (1, 2):
        tissues = tiny_tissues(every=every)
        model = settings(ENERGY, steps=2, tissues=tissues, unet=None, decoder=DECODER)
        output = tmp_path / str(every) / "model.safetensors"
        train_diffusion([tmp_path / "p.npz"], model, 1, 0, output, 600)
        flops[every] = json.loads(output.with_name("config.json").read_text())["training"]["flops"]
    model = settings(ENERGY, steps=2, unet=None, decoder=DECODER)
    train_diffusion([tmp_path / "p.npz"], model, 1, 0, tmp_path / "none/model.safetensors", 600)
    without = json.loads((tmp_path / "none/config.json").read_text())["training"]["flops"]
    of_tissues = {every: total - without for every, total in flops.items()}
    # The image network reads one tissue more, which is little.
    assert of_tissues[2] == pytest.approx(of_tissues[1] / 2, rel=0.2)


def test_tissues_are_not_exported_for_diffusers(tmp_path, slices):
    model = settings(ENERGY, steps=1, tissues=tiny_tissues())
    train_diffusion([slices], model, 1, 0, tmp_path / "model.safetensors", 600)
    with pytest.raises(ValueError, match="draws tissues first, and diffusers has nothing that does"):
        export_model(tmp_path / "model.safetensors", "trailing", tmp_path / "README.md")


def test_losses_of_texture_wait_for_their_step():
    first, *_, last = steps_of(learner(EVERYTHING), range(4))
    waiting = ("adversarial", "feature_matching", "sliced_wasserstein", "discriminator")
    assert [first[name].item() for name in waiting] == [0, 0, 0, 0]
    assert all(last[name].item() != 0 for name in waiting)


FP32 = {"training": {"steps": 10, "batch_size": 4, "learning_rate": 1e-3, "precision": "fp32"}}


WITH_TISSUES = {"tissues": tiny_tissues()}


@pytest.mark.parametrize(("losses", "more"), [(ENERGY, {}), (MAPS, {}), (ENERGY, WITH_TISSUES)])
def test_micro_batches_change_no_gradient_of_the_energy_score(losses, more, monkeypatch):
    gradients, terms = [], []
    for limit in (None, 2):
        maps_of = encoder() if losses is MAPS else None
        trained = learner(losses, maps_of, micro_batch_size=limit, **FP32, **more)
        network = trained.network
        monkeypatch.setattr(
            trained.descent,
            "step",
            lambda network=network: gradients.append([p.grad for p in network.parameters()]),
        )
        terms += steps_of(trained, [0])
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-6)
    whole, in_parts = ({name: value.item() for name, value in of_run.items()} for of_run in terms)
    assert whole == pytest.approx(in_parts, rel=1e-4)


def test_the_maps_of_both_predictions_are_scored_and_pulled_to_the_real_ones():
    """By the formulas, from what one call with both predictions gives."""
    trained = learner(MAPS, encoder(), **FP32)
    predictions = []
    predict = trained._predict_each
    trained._predict_each = lambda *inputs: predictions.append(predict(*inputs)) or predictions[-1]
    (losses,) = steps_of(trained, [0])
    first, second = predictions[0].detach().unbind(1)
    with torch.no_grad():
        y, a, b = (trained.maps.loss.maps(x) for x in (to_signal(batch()[0]), first, second))
    scored = [
        (((a - y).abs() + (b - y).abs()) / 2 - (a - b).abs() / 2).mean() / (y.std() + 1e-3)
        for y, a, b in zip(y, a, b, strict=True)
    ]
    pulled = [((a - y).abs().mean() + (b - y).abs().mean()) / 2 for y, a, b in zip(y, a, b, strict=True)]
    assert losses["energy_score_of_maps"].item() == pytest.approx(torch.stack(scored).mean().item(), rel=1e-4)
    assert losses["perceptual"].item() == pytest.approx((pulled[0] / 2 + pulled[1]).item(), rel=1e-4)
    total = losses["energy_score"] + 0.3 * losses["energy_score_of_maps"] + 0.1 * losses["perceptual"]
    total = total + 0.5 * losses["energy_score_of_blocks"]
    assert losses["loss"].item() == pytest.approx(total.item(), rel=1e-4)


def test_real_maps_are_found_by_their_places_however_many_are_made_at_once():
    """More than `AT_ONCE` images; a part of them in another order."""
    losses = DenoiserLosses.model_validate(MAPS)
    maps = MapLosses(PerceptualLoss(encoder()), losses, CPU, "fp32")
    real_BCHW = torch.rand(11, 1, 16, 16) * 2 - 1
    real = maps.of_real(real_BCHW)
    some = torch.tensor([10, 0, 8])
    for whole, part in zip(maps.of_real(real_BCHW[some]).maps, real.of(some), strict=True):
        torch.testing.assert_close(whole, part)


def test_the_terms_of_maps_of_two_channels_are_those_of_each_prediction_alone():
    """VGG-19 sees each channel as an image of its own; the maps of an image stay together."""
    torch.manual_seed(0)
    vgg = PerceptualLoss(Vgg19Features())
    losses = DenoiserLosses.model_validate(
        MAPS | {"perceptual_network": {"kind": "vgg19", "weights": "vgg.pth"}}
    )
    maps = MapLosses(vgg, losses, CPU, "fp32")
    real_BCHW = torch.rand(3, 2, 16, 16) * 2 - 1
    predicted_BNCHW = torch.rand(3, 2, 2, 16, 16) * 2 - 1
    with torch.no_grad():
        terms = maps.terms(predicted_BNCHW, maps.of_real(real_BCHW), torch.arange(3))
        alone = [vgg(x_BCHW, real_BCHW).item() for x_BCHW in predicted_BNCHW.unbind(1)]
        y, a, b = (vgg.maps(x_BCHW) for x_BCHW in (real_BCHW, *predicted_BNCHW.unbind(1)))
    assert terms["perceptual"].item() == pytest.approx(sum(alone) / 2, rel=1e-5)
    assert terms["energy_score_of_maps"].item() == pytest.approx(
        score(y, a, b, scales_of(y)).item(), rel=1e-4
    )


@pytest.mark.parametrize(("losses", "network"), [(MAPS, None), (ENERGY, encoder)])
def test_a_training_without_its_perceptual_network_is_refused(losses, network):
    """Otherwise it would be another training than its settings say."""
    with pytest.raises(ValueError, match=r"perceptual_network, but (none|one) was given"):
        learner(losses, network and network())


def test_half_of_the_training_may_begin_where_sampling_does():
    trained = learner({**ENERGY, "pure_noise_share": 0.5})
    images = torch.zeros(400, 1, 2, 2)
    _, _, t_B = trained._noise(images, torch.Generator().manual_seed(0))
    assert 0.4 < (t_B == 999).float().mean() < 0.6
    _, _, t_B = learner(ENERGY)._noise(images, torch.Generator().manual_seed(0))
    assert (t_B == 999).float().mean() < 0.02


def test_the_discriminator_learns_only_in_its_own_step():
    trained = learner(EVERYTHING)
    judge = trained.discriminator_descent.network
    before = [p.detach().clone() for p in judge.parameters()]
    steps_of(trained, range(2))
    assert all(torch.equal(old, new) for old, new in zip(before, judge.parameters(), strict=True))
    steps_of(trained, range(2, 4))
    assert not all(torch.equal(old, new) for old, new in zip(before, judge.parameters(), strict=True))
