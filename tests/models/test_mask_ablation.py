"""Mask ablation against the loop of Algorithm 1, and its probabilities."""

import pytest
import torch

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser
from segguided.models.mask_ablation import ablate_classes, free_flags, remove_classes


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


def test_ablation_without_a_mask_is_refused():
    with pytest.raises(ValueError, match="mask_ablation"):
        settings("sample", conditioning="none")
