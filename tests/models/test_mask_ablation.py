"""Mask ablation against the loop of Algorithm 1, its probabilities, and what SPADE's networks see of it."""

import pytest
import torch

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.mask_ablation import by_class_value
from segguided.config.models.spade import SpadeModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser
from segguided.models.mask_ablation import ablate_classes, free_flags, remove_classes
from segguided.models.spade import Generator
from segguided.models.spade_learner import SpadeLearner


def masks(n=512):
    return torch.randint(0, 4, (n, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def removed(before_BHW, after_BHW):
    """For each sample, the set of removed classes."""
    sets = []
    for before_HW, after_HW in zip(before_BHW, after_BHW, strict=True):
        gone = set(before_HW.unique().tolist()) - set(after_HW.unique().tolist()) - {0}
        expected_HW = before_HW.clone()
        for k in gone:
            expected_HW[expected_HW == k] = 0  # the paper's m[m = c] = 0
        assert torch.equal(after_HW, expected_HW)
        sets.append(frozenset(gone))
    return sets


def full_masks(n):
    """Masks in which every class occurs."""
    return torch.arange(4, dtype=torch.uint8).repeat(4).view(1, 4, 4).expand(n, -1, -1).clone()


def ablated(masks_BHW, per, generator):
    """The ablated masks; the flags must say what was removed."""
    after_BHW, is_free_BK = ablate_classes(masks_BHW, 3, per, generator)
    assert torch.equal(after_BHW, remove_classes(masks_BHW, ~is_free_BK))
    return after_BHW


@pytest.mark.parametrize("probability", [0.5, {}, {"2": 0.5}, {"1": 0.5, "2": 0.5, "3": 0.5}])
def test_one_half_removes_what_it_always_removed(probability):
    """The same numbers as before there was a choice: a class is kept where the number is below one half."""
    number_BK = torch.rand((64, 4), generator=torch.Generator().manual_seed(5))
    expected_BHW = remove_classes(full_masks(64), number_BK < 0.5)
    generator = torch.Generator().manual_seed(5)
    after_BHW, _ = ablate_classes(full_masks(64), 3, "sample", generator, probability=probability)
    assert torch.equal(after_BHW, expected_BHW)


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.2, (0.2, 0.2, 0.2)),
        (1.0, (1, 1, 1)),
        ({"1": 0.0, "3": 0.9}, (0, 0.5, 0.9)),
        ({"2": 1}, (0.5, 1, 0.5)),
    ],
)
def test_each_class_is_removed_as_often_as_its_probability_says(probability, expected):
    generator = torch.Generator().manual_seed(4)
    sets = removed(
        full_masks(4000),
        ablate_classes(full_masks(4000), 3, "sample", generator, probability=probability)[0],
    )
    for value, share in enumerate(expected, start=1):
        frequency = sum(value in gone for gone in sets) / len(sets)
        assert frequency == share if share in (0, 1) else abs(frequency - share) < 0.03


def test_probabilities_of_values_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match=r"names the mask values 0, 4; expected values from 1 to 3"):
        ablate_classes(full_masks(2), 3, "sample", torch.Generator(), probability={"4": 0.1, "0": 1, "1": 1})


def test_a_share_of_the_masks_is_changed_and_flags_tell_what_is_free():
    before_BHW = full_masks(4000)
    generator = torch.Generator().manual_seed(3)
    after_BHW, is_free_BK = ablate_classes(before_BHW, 3, "sample", generator, share=0.25)
    changed_B = (after_BHW != before_BHW).flatten(1).any(1)
    assert abs(changed_B.float().mean() - 0.25 * 7 / 8) < 0.03  # one of eight combinations removes nothing
    assert torch.equal(changed_B, is_free_BK[:, 1:].any(1))


def test_no_ablation_removes_nothing_and_nothing_is_free():
    after_BHW, is_free_BK = ablate_classes(full_masks(4), 3, "none", torch.Generator())
    assert torch.equal(after_BHW, full_masks(4))
    assert not is_free_BK.any()


def test_a_free_value_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match=r"free classes \[4\] do not exist; expected values from 1 to 3"):
        free_flags(3, [1, 4], 2, torch.device("cpu"))


def test_every_combination_is_equally_likely_per_sample():
    before_BHW = full_masks(4000)
    sets = removed(before_BHW, ablated(before_BHW, "sample", torch.Generator().manual_seed(1)))
    counts = {s: sets.count(s) for s in set(sets)}
    assert len(counts) == 8
    assert max(abs(count - 500) for count in counts.values()) < 100


def test_one_combination_for_a_batch_and_a_new_one_for_the_next():
    generator = torch.Generator().manual_seed(1)
    batches = [removed(full_masks(16), ablated(full_masks(16), "batch", generator)) for _ in range(40)]
    assert all(len(set(sets)) == 1 for sets in batches)
    assert len({sets[0] for sets in batches}) > 4


def test_random_masks_lose_whole_classes_only():
    before_BHW = masks()
    after_BHW = ablated(before_BHW, "sample", torch.Generator().manual_seed(2))
    assert after_BHW.dtype == before_BHW.dtype
    removed(before_BHW, after_BHW)
    again_BHW = ablated(before_BHW, "sample", torch.Generator().manual_seed(2))
    assert torch.equal(after_BHW, again_BHW)


def settings(mask_ablation, conditioning="onehot"):
    return DiffusionModel(
        kind="diffusion",
        conditioning=conditioning,
        mask_ablation=mask_ablation,
        unet=Unet(channels=(8, 16), norm_groups=4, layers_per_block=1),
        training=Training(steps=1, batch_size=1, learning_rate=1e-3),
    )


@pytest.mark.parametrize("mask_ablation", ["none", "sample"])
def test_the_network_sees_ablated_masks_in_training_alone(mask_ablation):
    torch.manual_seed(0)
    model = settings(mask_ablation)
    network = MaskedDenoiser(model, 3, 16)
    seen = []
    network.encoder.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    masks_BHW = torch.arange(4, dtype=torch.uint8).repeat(64).view(1, 16, 16).expand(8, -1, -1)
    learner = DiffusionLearner(network, model, 1, torch.device("cpu"))
    learner.update(masks_BHW * 60, masks_BHW, torch.Generator().manual_seed(0))
    network(torch.zeros(8, 1, 16, 16), torch.zeros(8, dtype=torch.long), masks_BHW)
    assert torch.equal(seen[0], masks_BHW) == (mask_ablation == "none")
    assert torch.equal(seen[1], masks_BHW)


def spade(**changes):
    """A SPADE that ablates masks, and all masks that its generator and its discriminator get to see."""
    torch.manual_seed(0)
    training = {"steps": 9, "batch_size": 8, "mirror": False, "micro_batch_size": changes.pop("parts", None)}
    model = SpadeModel.model_validate(
        {
            "kind": "spade",
            "generator": {
                "channels": (4, 8),
                "modulation_channels": 4,
                "norm": changes.pop("norm", "instance"),
            },
            "discriminator": {"channels": 4, "layers": 2},
            "perceptual": {"kind": "none"},
            "training": {**training, "ema_decay": 0.9},
            **changes,
        }
    )
    network = Generator(model.generator, 3, 16)
    learner = SpadeLearner(network, model, None, 9, torch.device("cpu"), masks=lambda: iter([large_masks(8)]))
    of_generator, of_discriminator = [], []
    network.register_forward_hook(lambda _module, inputs, _output: of_generator.append(inputs[0]))
    learner.discriminator.register_forward_hook(
        lambda _module, inputs, _output: of_discriminator.append(inputs[1])
    )
    return learner, of_generator, of_discriminator


def large_masks(n):
    """(n, 16, 16) in which every class occurs."""
    return torch.arange(4, dtype=torch.uint8).repeat(64).view(1, 16, 16).expand(n, -1, -1).clone()


@pytest.mark.parametrize("parts", [None, 3])
def test_spades_generator_and_discriminator_see_the_same_ablated_masks(parts):
    """However many images are on the device at once; in each of the two steps the whole batch."""
    learner, of_generator, of_discriminator = spade(mask_ablation="sample", parts=parts)
    learner.update(large_masks(8) * 60, large_masks(8), torch.Generator().manual_seed(0))
    expected_BHW, _ = ablate_classes(large_masks(8), 3, "sample", torch.Generator().manual_seed(0))
    assert not torch.equal(expected_BHW, large_masks(8))
    assert torch.equal(torch.cat(of_generator), torch.cat([expected_BHW, expected_BHW]))
    expected_BKHW = learner.generator.encoder(expected_BHW)
    calls = len(of_discriminator) // 3  # in a step of the generator two: real images, generated ones
    of_generators_step, of_its_own = of_discriminator[: 2 * calls], of_discriminator[2 * calls :]
    beside_generated, beside_real = zip(*(both.chunk(2) for both in of_its_own), strict=True)
    for masks in (of_generators_step[::2], of_generators_step[1::2], beside_generated, beside_real):
        assert torch.equal(torch.cat(list(masks)), expected_BKHW)


def test_spade_without_ablation_sees_whole_masks_and_draws_nothing():
    learner, of_generator, _ = spade()
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    learner.update(large_masks(8) * 60, large_masks(8), generator)
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(of_generator[0], large_masks(8))


@pytest.mark.parametrize("mask_ablation", ["none", "sample"])
def test_batch_statistics_of_an_averaged_spade_are_over_masks_as_in_training(mask_ablation):
    learner, of_generator, _ = spade(mask_ablation=mask_ablation, norm="batch")
    learner.finished_network()
    expected_BHW, _ = ablate_classes(large_masks(8), 3, mask_ablation, torch.Generator().manual_seed(0))
    assert torch.equal(of_generator[0], expected_BHW)


def test_classes_count_by_their_values_and_settings_at_their_defaults_are_not_named():
    """So another name trains nothing again, and a SPADE without ablation gets the command it always got."""
    model = spade()[0].ablation
    assert "abl" not in model.training_json()
    chosen = model.model_copy(
        update={"mask_ablation": "sample", "ablation_probability": {"fat": 0.1, "a": 1.0}}
    )
    by_value = by_class_value(chosen, ["a", "b", "fat"])
    assert by_value.ablation_probability == {"3": 0.1, "1": 1}
    assert '"ablation_probability":{"1":1,"3":0.1}' in by_value.training_json().replace(".0", "")
    assert SpadeModel.from_json(by_value.training_json()).ablation_probability == {"3": 0.1, "1": 1}
    assert by_class_value(model, ["a"]) is model


def test_numbers_may_come_as_text_as_from_snakemakes_command_line():
    values = spade()[0].ablation.model_dump() | {"mask_ablation": "sample"}
    for given, expected in (("0.3", 0.3), ({"a": "0.1", "b": 1}, {"a": 0.1, "b": 1})):
        model = SpadeModel.model_validate(values | {"ablation_probability": given})
        assert model.ablation_probability == expected


def test_ablation_without_a_mask_is_refused():
    with pytest.raises(ValueError, match="mask_ablation"):
        settings("sample", conditioning="none")
