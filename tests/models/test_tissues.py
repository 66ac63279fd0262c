"""Tissues: classes divided by grey value, and networks that draw where the parts lie."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet
from segguided.generation.diffusion import make_sampler
from segguided.generation.masks import tissues as drawing
from segguided.generation.masks.tissues import tissue_painter
from segguided.models.denoiser import build_denoiser
from segguided.models.prediction_learner import make_learner
from segguided.models.tissues.division import Division, choose_division
from support.tissues import spotted_squares, tiny_tissues

CPU = torch.device("cpu")
SIZE = 16


def model(steps=150, **changes):
    values = {
        "kind": "diffusion",
        "conditioning": "onehot",
        "prediction_type": "sample",
        "losses": {"squared_error": 0, "energy_score": {"levels": 2}},
        "decoder": {"channels": (8, 16), "modulation_channels": 8},
        "tissues": tiny_tissues(augmentation=None, every=1).model_dump(),
        "training": {"steps": steps, "batch_size": 8, "learning_rate": 1e-2, "ema_decay": 0.9},
    }
    return DiffusionModel.model_validate(values | changes)


def slices_of(*images):
    """A stack of images whose masks are 1 where they are not 0."""
    stack = spotted_squares().stacks[0]
    images_SHW = np.array(images, np.uint8)
    return SliceSet([replace(stack, images_SHW=images_SHW, masks_SHW=(images_SHW > 0).astype(np.uint8))])


# The division


@given(values=st.lists(st.integers(0, 255), min_size=4, max_size=9), parts=st.integers(2, 4))
def test_grey_values_are_cut_where_parts_differ_least_within(values, parts):
    """As the best of all ways to cut the sorted values."""
    row = np.array(values, np.uint8)[np.newaxis]
    slices = slices_of(row)
    slices.stacks[0].masks_SHW[:] = 1
    cuts = choose_division(slices, 1, tiny_tissues(parts=parts, least_share=0.01)).cuts.get(1, ())

    def cost(edges):
        groups = np.split(np.sort(row[0]).astype(float), np.searchsorted(np.sort(row[0]), edges))
        return sum(((group - group.mean()) ** 2).sum() for group in groups if len(group))

    different = sorted(set(values))
    expected = min(len(different), parts) - 1
    assert len(cuts) == expected
    if cuts:
        least = min(cost(edges) for edges in itertools.combinations(different[1:], expected))
        assert cost(cuts) == pytest.approx(least, abs=1e-6)


def test_large_classes_and_what_is_outside_are_divided_and_small_ones_are_not():
    image_HW = np.zeros((20, 20), np.uint8)
    image_HW[:5] = 90  # a bright part outside
    image_HW[10:20, :10] = 120
    image_HW[10:15, :10] = 200
    masks_SHW = np.zeros((1, 20, 20), np.uint8)
    masks_SHW[0, 10:20, :10] = 1
    masks_SHW[0, 19, 0] = 2
    image_HW[19, 0] = 255
    slices = SliceSet([replace(spotted_squares().stacks[0], images_SHW=image_HW[None], masks_SHW=masks_SHW)])
    division = choose_division(slices, 2, tiny_tissues())
    assert division.classes == (0, 1, 2, 0, 1)
    tissues_HW = division.of(image_HW[None], masks_SHW)[0]
    assert set(np.unique(tissues_HW[:5])) == {3}
    assert set(np.unique(tissues_HW[10:15, :10])) == {4}
    assert set(np.unique(tissues_HW[15:19, :10])) == {1}
    assert tissues_HW[19, 0] == 2
    np.testing.assert_array_equal(np.array(division.classes)[tissues_HW], masks_SHW[0])
    assert division == Division.from_entry(json.loads(json.dumps(division.to_entry())))


def test_noise_is_filtered_before():
    image_HW = np.full((16, 16), 60, np.uint8)
    image_HW[:, 8:] = 180
    noisy_HW = image_HW.copy()
    noisy_HW[4, 4] = 250
    slices = slices_of(image_HW, noisy_HW)
    division = choose_division(slices, 1, tiny_tissues(filter_size=3))
    clean_HW, filtered_HW = division.of(slices.images, slices.masks)
    np.testing.assert_array_equal(clean_HW, filtered_HW)
    unfiltered = choose_division(slices, 1, tiny_tissues(filter_size=1))
    assert unfiltered.of(slices.images, slices.masks)[1, 4, 4] != clean_HW[4, 4]


def test_images_of_several_channels_are_divided_by_their_mean():
    grey = slices_of(*spotted_squares().images)
    stack = grey.stacks[0]
    channels_SHWC = np.stack([stack.images_SHW, stack.images_SHW // 2], -1)
    two = SliceSet([replace(stack, images_SHW=channels_SHWC)])
    mean = SliceSet([replace(stack, images_SHW=np.rint(channels_SHWC.mean(-1)).astype(np.uint8))])
    division = choose_division(two, 1, tiny_tissues())
    assert division == choose_division(mean, 1, tiny_tissues())
    np.testing.assert_array_equal(division.divide(two).masks, division.divide(mean).masks)


def test_a_class_of_one_grey_value_is_not_divided():
    slices = slices_of(np.full((4, 4), 7))
    assert choose_division(slices, 1, tiny_tissues()).cuts == {}


# The settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditioning": "index255"}, "conditioning is index255 and mask_ablation is none"),
        ({"mask_ablation": "sample"}, "conditioning is onehot and mask_ablation is sample; set"),
        ({"init_from": {"run": "results/runs/a/b/seed0"}}, "init_from begins with weights of other classes"),
        ({"tissues": tiny_tissues().model_dump() | {"filter_size": 4}}, "expected an odd number"),
        ({"tissues": tiny_tissues().model_dump() | {"stages": ()}}, "at least 1 item"),
        (
            {
                "tissues": tiny_tissues().model_dump()
                | {"stages": [{**stage.model_dump(), "one_in": 2} for stage in tiny_tissues().stages]}
            },
            "has `one_in`, which is for a completer",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        model(**changes)


def test_without_tissues_the_settings_read_as_before():
    assert "tissues" not in model(tissues=None).training_json()
    assert "tissues" in model().training_json()


def test_more_tissues_than_a_mask_has_values_are_refused():
    stack = spotted_squares().stacks[0]
    masks_SHW = np.arange(250, dtype=np.uint8).repeat(8).reshape(1, 40, 50)
    images_SHW = np.random.default_rng(0).integers(0, 255, (1, 40, 50)).astype(np.uint8)
    slices = SliceSet([replace(stack, images_SHW=images_SHW, masks_SHW=masks_SHW)])
    with pytest.raises(ValueError, match=r"are \d+ mask values, but a mask holds 256; lower parts, or raise"):
        choose_division(slices, 250, tiny_tissues(least_share=0.001))


@pytest.mark.parametrize(("tissues", "division"), [(None, Division(1, {}, 1)), (tiny_tissues(), None)])
def test_tissues_and_their_division_come_together(tissues, division):
    with pytest.raises(ValueError, match="a model has both, or neither"):
        build_denoiser(model(tissues=tissues), 1, SIZE, division=division)


# Training and drawing


@pytest.fixture(scope="module")
def trained():
    """A network that learnt from the squares, and the division."""
    slices = spotted_squares(count=32)
    settings = model()
    division = choose_division(slices, 1, settings.tissues)
    seen = division.divide(slices)
    torch.manual_seed(0)
    network = build_denoiser(settings, 1, SIZE, division=division)
    learner = make_learner(network, settings, settings.training.steps, CPU)
    generator = torch.Generator().manual_seed(0)
    for _ in range(settings.training.steps):
        images_BHW, tissues_BHW = seen.batch(torch.randint(32, (8,), generator=generator).numpy())
        losses = learner.update(torch.from_numpy(images_BHW), torch.from_numpy(tissues_BHW), generator)
    assert {"tissues_in_cells_of_4", "tissues_in_cells_of_1", "energy_score"} <= losses.keys()
    return learner.finished_network(), settings, seen


def names_of(count):
    return [f"p1_slice_{number}" for number in range(count)]


def test_what_is_drawn_stays_in_its_class_and_looks_like_what_was_seen(trained):
    network, _, seen = trained
    masks_BHW = torch.from_numpy((seen.images > 0).astype(np.uint8))
    drawn_BHW = tissue_painter(network, 0, "fp32")(masks_BHW, names_of(32))
    classes = torch.tensor(network.tissues.division.classes)
    assert torch.equal(classes[drawn_BHW.long()].byte(), masks_BHW)
    spot = int(seen.masks.max())
    is_spot_BHW = drawn_BHW == spot
    sides = np.array([is_spot_BHW[:, :, :8].sum((1, 2)).numpy(), is_spot_BHW[:, :, 8:].sum((1, 2)).numpy()])
    areas = sides.sum(0)
    assert 0.6 < areas.mean() / 8 < 1.4, "spots of 8 pixels"
    one_sided = sides.max(0) > 0.8 * np.maximum(areas, 1)
    assert one_sided.mean() > 0.7, "a spot lies in one half, not in a bit of both"
    is_left = [
        (drawn_BHW[:, :, :8] == spot).sum((1, 2)) > (drawn_BHW[:, :, 8:] == spot).sum((1, 2))
        for drawn_BHW in (tissue_painter(network, seed, "fp32")(masks_BHW, names_of(32)) for seed in range(6))
    ]
    assert 6 / 32 < torch.stack(is_left).float().mean() < 26 / 32, "and in another one from mask to mask"


def test_an_image_shows_the_tissues_that_were_drawn(trained):
    network, settings, seen = trained
    masks_BHW = torch.from_numpy((seen.images > 0).astype(np.uint8))
    sampling = Sampling(sampler="renoise", steps=1, batch_size=8, precision="fp32")
    images_BHW = make_sampler(network, settings, sampling, 0)(masks_BHW, names_of(32)).numpy()
    drawn_BHW = tissue_painter(network, 0, "fp32")(masks_BHW, names_of(32)).numpy()
    spot = int(seen.masks.max())
    assert images_BHW[drawn_BHW == spot].mean() > images_BHW[drawn_BHW == 1].mean() + 60


def test_tissues_are_a_function_of_seed_mask_id_and_mask(trained):
    network, _, seen = trained
    masks_BHW = torch.from_numpy((seen.images[:6] > 0).astype(np.uint8))
    names = names_of(6)
    painter = tissue_painter(network, 0, "fp32")
    drawn_BHW = painter(masks_BHW, names)
    order = [4, 1, 0, 5]
    assert torch.equal(painter(masks_BHW[order], [names[i] for i in order]), drawn_BHW[order])
    assert not torch.equal(tissue_painter(network, 1, "fp32")(masks_BHW, names), drawn_BHW)
    assert not torch.equal(painter(masks_BHW, names_of(12)[6:]), drawn_BHW)


def test_smooth_noise_keeps_all_its_bits_where_networks_compute_in_bf16(trained, monkeypatch):
    network, _, seen = trained
    noises = []

    def record(tissues, number, x_BThw, *others):
        noises.append(x_BThw)
        return sample(tissues, number, x_BThw, *others)

    sample = drawing._sample
    monkeypatch.setattr(drawing, "_sample", record)
    masks_BHW = torch.from_numpy((seen.images[:2] > 0).astype(np.uint8))
    tissue_painter(network, 0, "bf16")(masks_BHW, names_of(2))
    assert [noise.dtype for noise in noises] == [torch.float32] * 2
    assert noises[1].shape[-1] == SIZE


def test_a_network_without_tissues_sees_the_mask_itself():
    settings = model(tissues=None)
    network = build_denoiser(settings, 1, SIZE)
    masks_BHW = torch.ones((1, SIZE, SIZE), dtype=torch.uint8)
    assert tissue_painter(network, 0, "fp32")(masks_BHW, ["a"]) is masks_BHW


def test_tissues_share_no_weight_with_the_image(trained):
    network, _, seen = trained
    examples = network.tissues.examples(torch.from_numpy(seen.masks[:4]), torch.Generator().manual_seed(0))
    losses = network.tissues.losses(examples, "fp32")
    sum(losses.values()).backward()
    with_gradient = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    assert with_gradient == {"tissues"}


def test_a_class_that_is_not_divided_takes_no_part_in_the_loss(trained):
    network, settings, _ = trained
    division = Division(2, {1: (150,)}, 1)
    network = build_denoiser(settings, 2, SIZE, division=division).tissues
    nothing_BHW = torch.full((2, SIZE, SIZE), 2, dtype=torch.uint8)
    generator = torch.Generator().manual_seed(0)
    losses = network.losses(network.examples(nothing_BHW, generator), "fp32")
    assert all(loss == 0 for loss in losses.values())
    parts_BThw = network.log_parts(torch.randn(2, 4, 3, 3)).exp()
    assert torch.allclose(parts_BThw[:, [0, 2]], torch.ones(2, 2, 3, 3))
    assert torch.allclose(parts_BThw[:, 1] + parts_BThw[:, 3], torch.ones(2, 3, 3))
