"""Masks ablated at each sampling step: what the network is shown, and of what alone it is a function."""

import torch

from segguided.config.sampling import Sampling
from segguided.generation.diffusion import make_sampler
from segguided.generation.samplers.step_ablation import StepAblatedDenoiser
from segguided.models.denoiser import MaskedDenoiser
from support.tiny_models import diffusion_model

CLASSES = 3


def full_masks(n):
    """Masks in which every class occurs."""
    return torch.arange(CLASSES + 1, dtype=torch.uint8).repeat(4).view(1, 4, 4).expand(n, -1, -1).clone()


def shown(names, t, seed=0, masks_BHW=None):
    """The classes that each mask still holds when the network sees it at time t."""
    seen = []
    ablated = StepAblatedDenoiser(lambda x, t_B, mask, _is_free: seen.append(mask), CLASSES, seed, names)
    masks_BHW = full_masks(len(names)) if masks_BHW is None else masks_BHW
    ablated(torch.zeros(len(names), 1, 4, 4), torch.full((len(names),), t), masks_BHW)
    return [frozenset(mask_HW.unique().tolist()) - {0} for mask_HW in seen[0]]


def test_every_combination_of_classes_is_equally_likely_at_every_step():
    sets = [kept for t in range(40) for kept in shown([f"p_slice_{i}" for i in range(100)], t)]
    counts = {kept: sets.count(kept) for kept in set(sets)}
    assert len(counts) == 2**CLASSES
    assert max(abs(count - 500) for count in counts.values()) < 100


def test_what_is_removed_is_a_function_of_seed_mask_id_and_step_alone():
    names = [f"p_slice_{i}" for i in range(32)]
    together = shown(names, 500)
    assert [shown([name], 500)[0] for name in names] == together
    assert shown(names[::-1], 500) == together[::-1]
    assert shown(names, 500) == together
    assert shown(names, 480) != together
    assert shown(names, 500, seed=1) != together


def test_removed_classes_become_background_and_the_others_stay_where_they_are():
    masks_BHW = torch.randint(0, CLASSES + 1, (8, 4, 4), dtype=torch.uint8)
    seen = []
    names = [f"p_slice_{i}" for i in range(8)]
    StepAblatedDenoiser(lambda x, t_B, mask, _is_free: seen.append(mask), CLASSES, 0, names)(
        torch.zeros(8, 1, 4, 4), torch.zeros(8, dtype=torch.long), masks_BHW
    )
    assert seen[0].dtype == masks_BHW.dtype
    assert not torch.equal(seen[0], masks_BHW)
    assert torch.equal(torch.where(seen[0] == 0, 0, masks_BHW), seen[0])


def masks_seen_while_sampling(mask_ablation):
    """The masks (T, B, H, W) that the network encodes at the T sampling steps."""
    torch.manual_seed(0)
    model = diffusion_model("sample", "onehot")
    network = MaskedDenoiser(model, CLASSES, 16)
    seen = []
    network.encoder.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    sampling = Sampling(sampler="ddim", steps=6, batch_size=4, precision="fp32", mask_ablation=mask_ablation)
    masks_BHW = full_masks(4).repeat_interleave(4, 1).repeat_interleave(4, 2)
    images_BHW = make_sampler(network, model, sampling, 0)(masks_BHW, list("abcd"))
    return torch.stack(seen), masks_BHW, images_BHW


def test_the_sampler_shows_another_ablation_at_each_step_and_none_by_default():
    whole_TBHW, masks_BHW, _ = masks_seen_while_sampling("none")
    assert all(torch.equal(seen_BHW, masks_BHW) for seen_BHW in whole_TBHW)
    ablated_TBHW, _, images_BHW = masks_seen_while_sampling("step")
    assert len({seen_BHW.numpy().tobytes() for seen_BHW in ablated_TBHW}) > 3
    again_TBHW, _, same_BHW = masks_seen_while_sampling("step")
    assert torch.equal(again_TBHW, ablated_TBHW)
    assert torch.equal(same_BHW, images_BHW)
