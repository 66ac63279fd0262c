"""The mask completer: shares of classes, its loss, what it learns, and what a completed mask keeps."""

import itertools
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from segguided.config.models.completer import MaskAugmentation, MaskCompleter
from segguided.generation.masks.cascade import sample_stage
from segguided.generation.masks.completion import make_completer
from segguided.models.completer.learner import CompleterLearner
from segguided.models.completer.network import CompleterNetwork
from segguided.models.completer.shares import (
    alpha_bar,
    alpha_bar_at,
    changed,
    complete_shares,
    enlarged_noise,
    in_cells,
    noisy,
    open_entropy,
    random_free,
    shares_of,
    without,
)

CPU = torch.device("cpu")
SIZE = 16


UNET = {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1}
MLP = {"width": 64, "blocks": 2}


def settings(steps=250, cells=(4, 1), augmentation=None, copies=2, first=None, last=None):
    """A completer of two small stages; `first` and `last`: further keys of theirs."""
    stages = [{"cell": cell, "unet": UNET, "copies": copies, "steps": 4} for cell in cells]
    stages[0] |= first or {}
    stages[-1] |= last or {}
    training = {"steps": steps, "batch_size": 8, "learning_rate": 1e-2, "ema_decay": 0.9, "precision": "fp32"}
    return MaskCompleter.model_validate(
        {"stages": stages, "augmentation": augmentation, "training": training}
    )


def nested_squares(count=32):
    """Masks of a square of class 1 around a square of class 2, shifted at random."""
    rng = np.random.default_rng(0)
    masks_BHW = torch.zeros((count, SIZE, SIZE), dtype=torch.uint8)
    for mask_HW in masks_BHW:
        y, x = rng.integers(0, 7, 2)
        mask_HW[y : y + 9, x : x + 9] = 1
        mask_HW[y + 3 : y + 6, x + 3 : x + 6] = 2
    return masks_BHW


def trained(masks_BHW, completer):
    """A network after the configured number of steps."""
    torch.manual_seed(0)
    network = CompleterNetwork(completer, 2, SIZE)
    learner = CompleterLearner(network, completer, completer.training.steps, CPU, mirror=False)
    generator = torch.Generator().manual_seed(0)
    for _ in range(completer.training.steps):
        rows = torch.randint(len(masks_BHW), (completer.training.batch_size,), generator=generator)
        learner.update(masks_BHW[rows], masks_BHW[rows], generator)
    return learner.finished_network()


@pytest.fixture(
    scope="module",
    params=[
        {},
        {
            "first": {"unet": None, "mlp": MLP, "copies": 16},
            "last": {"noise_patch": 2, "one_in": 2, "copies": 4},
        },
    ],
    ids=["unets", "mlp and smooth noise"],
)
def network(request):
    return trained(nested_squares(), settings(**request.param))


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return CompleterNetwork(settings(), 2, SIZE)


@pytest.mark.parametrize("free", [(1,), (2,), (1, 2)])
def test_kept_pixels_stay_and_the_others_become_background_or_free(untrained, free):
    masks_BHW = torch.randint(0, 3, (5, SIZE, SIZE), dtype=torch.uint8)
    completed_BHW = make_completer(untrained, 0, "fp32")(masks_BHW, list("abcde"), free)
    is_kept_BHW = (masks_BHW > 0) & ~torch.isin(masks_BHW, torch.tensor(free))
    assert completed_BHW.dtype == torch.uint8
    assert torch.equal(completed_BHW[is_kept_BHW], masks_BHW[is_kept_BHW])
    assert set(completed_BHW[~is_kept_BHW].unique().tolist()) <= {0, *free}


def test_a_completed_mask_is_a_function_of_seed_id_free_classes_and_kept_pixels(untrained):
    masks_BHW = nested_squares(4)
    names = list("abcd")
    completer = make_completer(untrained, 0, "fp32")
    completed_BHW = completer(masks_BHW, names, (1, 2))
    order = [2, 0, 3, 1]
    again_BHW = completer(masks_BHW[order], [names[i] for i in order], (2, 1))
    assert torch.equal(again_BHW, completed_BHW[order])
    without_any_BHW = completer(torch.zeros_like(masks_BHW), names, (1, 2))
    assert torch.equal(without_any_BHW, completed_BHW), "a free class of the input must not be seen"
    assert not torch.equal(make_completer(untrained, 1, "fp32")(masks_BHW, names, (1, 2)), completed_BHW)
    assert not torch.equal(completer(masks_BHW, list("efgh"), (1, 2)), completed_BHW)


def test_without_a_free_class_a_mask_stays_and_an_unknown_one_is_refused(untrained):
    masks_BHW = nested_squares(2)
    completer = make_completer(untrained, 0)
    assert torch.equal(completer(masks_BHW, ["a", "b"], ()), masks_BHW)
    with pytest.raises(ValueError, match=r"free classes \[0, 3\] do not exist; expected values from 1 to 2"):
        completer(masks_BHW, ["a", "b"], (0, 2, 3))


def test_it_learns_to_fill_in_one_class_and_all(network):
    masks_BHW = nested_squares(32)
    names = [f"m{i}" for i in range(32)]
    completer = make_completer(network, 0, "fp32")
    for value, area in ((1, 72), (2, 9)):
        completed_BHW = completer(masks_BHW, names, (value,))
        areas_B = (completed_BHW == value).sum((1, 2))
        assert 0.8 < areas_B.median() / area < 1.2, value
    everything_BHW = completer(masks_BHW, names, (1, 2))
    areas_B = (everything_BHW == 1).sum((1, 2)).float()
    assert 0.6 < areas_B.mean() / 72 < 1.4
    places = {tuple(mask_HW.nonzero().float().mean(0).round().tolist()) for mask_HW in everything_BHW}
    assert len(places) > 4, "masks of nothing must differ"


def test_an_untrained_one_does_not_fill_in_so(untrained):
    masks_BHW = nested_squares(32)
    completed_BHW = make_completer(untrained, 0, "fp32")(masks_BHW, [f"m{i}" for i in range(32)], (2,))
    ratio = (completed_BHW == 2).sum((1, 2)).median() / 9
    assert not 0.8 < ratio < 1.2


def test_shares_without_free_classes_count_them_as_background():
    masks_BHW = nested_squares(3)
    free_BK = torch.tensor([[False, True, False]] * 3)
    kept_BKHW = without(shares_of(masks_BHW, 2), free_BK)
    assert torch.equal(kept_BKHW[:, 2], (masks_BHW == 2).float())
    assert kept_BKHW[:, 1].sum() == 0
    assert torch.equal(kept_BKHW.sum(1), torch.ones(3, SIZE, SIZE))


def test_completed_shares_add_up_to_one_and_keep_what_is_kept():
    shares_BKhw = in_cells(shares_of(nested_squares(3), 2), 4)
    kept_BKhw = without(shares_BKhw, torch.tensor([[False, True, False]] * 3))
    logits_BKhw = torch.randn(shares_BKhw.shape)
    logits_BKhw[:, 2] = -1e4
    completed_BKhw = complete_shares(logits_BKhw, kept_BKhw)
    torch.testing.assert_close(completed_BKhw.sum(1), torch.ones(3, 4, 4))
    torch.testing.assert_close(completed_BKhw[:, 2], kept_BKhw[:, 2])


def test_the_loss_is_the_cross_entropy_of_what_is_open():
    masks_BHW = nested_squares(4)
    shares_BKHW = shares_of(masks_BHW, 2)
    kept_BKHW = without(shares_BKHW, torch.tensor([[False, True, False]] * 4))
    logits_BKHW = torch.randn(shares_BKHW.shape)
    is_open_BHW = masks_BHW != 2
    expected = functional.cross_entropy(logits_BKHW, masks_BHW.long(), reduction="none")[is_open_BHW].mean()
    torch.testing.assert_close(open_entropy(logits_BKHW, shares_BKHW, kept_BKHW), expected)


def test_the_noise_goes_from_none_to_noise_alone():
    times_B = torch.tensor([0.0, 0.5, 1.0])
    for scale in (0.5, 2.0):
        first, middle, last = alpha_bar(times_B, scale).tolist()
        assert first == 1
        assert last < 1e-6
        assert math.sqrt(middle / (1 - middle)) == pytest.approx(scale, rel=1e-3)
        of_each = [alpha_bar_at(time, scale) for time in times_B.tolist()]
        assert of_each == pytest.approx([first, middle, last], abs=1e-6)


def test_some_class_is_always_free_and_each_combination_occurs():
    free_BK = random_free(500, 3, torch.Generator().manual_seed(0))
    assert not free_BK[:, 0].any()
    found = {tuple(row) for row in free_BK[:, 1:].tolist()}
    assert found == set(itertools.product((False, True), repeat=3)) - {(False, False, False)}


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_changed_shares_are_shares(mode):
    shares_BKHW = shares_of(nested_squares(8), 2)
    generator = torch.Generator().manual_seed(0)
    moved_BKHW = changed(shares_BKHW, MaskAugmentation(), True, generator, mode)
    torch.testing.assert_close(moved_BKHW.sum(1), torch.ones(8, SIZE, SIZE))
    assert moved_BKHW.min() >= 0
    assert not torch.equal(moved_BKHW, shares_BKHW)
    if mode == "nearest":
        assert set(moved_BKHW.unique().tolist()) == {0, 1}


def test_only_a_dataset_that_allows_it_is_mirrored():
    shares_BKHW = shares_of(nested_squares(8), 2)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(changed(shares_BKHW, None, False, generator), shares_BKHW)
    mirrored_BKHW = changed(shares_BKHW, None, True, generator)
    is_mirrored_B = (mirrored_BKHW == shares_BKHW.flip(-1)).flatten(1).all(1)
    is_same_B = (mirrored_BKHW == shares_BKHW).flatten(1).all(1)
    assert (is_mirrored_B | is_same_B).all()
    assert 0 < is_mirrored_B.sum() < 8


@pytest.mark.parametrize("cells", [(1, 4), (4, 4, 1), (6, 4, 1), (4,)])
def test_stages_go_from_coarse_to_single_pixels(cells):
    with pytest.raises(ValidationError, match="each to be a multiple of the next, and the last to be 1"):
        settings(cells=cells)


def test_a_stage_has_one_network_and_only_the_first_has_an_mlp():
    with pytest.raises(ValidationError, match="cells of 4 needs `unet` or `mlp`, got both"):
        settings(first={"mlp": MLP})
    with pytest.raises(ValidationError, match="cells of 4 needs `unet` or `mlp`, got neither"):
        settings(first={"unet": None})
    with pytest.raises(ValidationError, match="cells of 1 has an `mlp`, which only the first can; give it"):
        settings(last={"unet": None, "mlp": MLP})


@pytest.mark.parametrize(("first", "last"), [(1, 3), (16, 1)])
def test_stages_that_skip_masks_divide_the_batch(first, last):
    with pytest.raises(ValidationError, match="expected `one_in` to divide the largest, and the largest"):
        settings(first={"one_in": first}, last={"one_in": last})


def test_some_stage_learns_from_all_masks():
    with pytest.raises(ValidationError, match="no stage learns from the other masks; leave it out in one"):
        settings(first={"one_in": 2}, last={"one_in": 4})


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_few_masks_make_a_smaller_batch(count):
    completer = settings(first={"unet": None, "mlp": MLP, "copies": 3}, last={"one_in": 4})
    torch.manual_seed(0)
    learner = CompleterLearner(CompleterNetwork(completer, 2, SIZE), completer, 1, CPU, mirror=False)
    masks_BHW = nested_squares(count)
    not_annotated_BV = torch.zeros((count, 256), dtype=torch.bool)
    not_annotated_BV[:, 2] = True
    losses = learner.update(masks_BHW, masks_BHW, torch.Generator().manual_seed(0), not_annotated_BV)
    assert all(loss.isfinite() for loss in losses.values())


def test_a_stage_may_learn_from_some_masks_of_a_batch_alone(monkeypatch):
    completer = settings(copies=1, first={"copies": 3}, last={"one_in": 4})
    network = CompleterNetwork(completer, 2, SIZE)
    learner = CompleterLearner(network, completer, 1, CPU, mirror=False)
    seen = []
    monkeypatch.setattr(learner.descent, "descend", lambda _, batch: seen.append(batch))
    masks_BHW = nested_squares(8)
    learner.update(masks_BHW, masks_BHW, torch.Generator().manual_seed(0))
    count = len(seen[0]) // 2
    coarse, fine = seen[0][0], seen[0][count]
    assert coarse.shape == (2, 12, 3, 4, 4), "two groups of four masks, three copies each"
    assert fine.shape == (2, 1, 3, SIZE, SIZE)
    assert torch.equal(fine[:, 0], shares_of(masks_BHW[[0, 4]], 2))
    assert torch.equal(coarse[1, 0], in_cells(shares_of(masks_BHW[4:5], 2), 4)[0])


def test_smooth_noise_is_as_strong_everywhere_and_alike_nearby():
    eps_BKuv = torch.randn((4000, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    assert enlarged_noise(eps_BKuv, 4) is eps_BKuv
    smooth_BHW = enlarged_noise(eps_BKuv, SIZE)[:, 0]
    torch.testing.assert_close(smooth_BHW.std(0), torch.ones(SIZE, SIZE), atol=0.06, rtol=0)
    beside = (smooth_BHW[:, :, 1:] * smooth_BHW[:, :, :-1]).mean()
    far = (smooth_BHW[:, :, 0] * smooth_BHW[:, :, -1]).mean()
    assert beside > 0.9
    assert abs(far) < 0.1


def test_without_anything_learnt_a_stage_keeps_what_the_one_before_gave():
    torch.manual_seed(0)
    network = CompleterNetwork(settings(), 2, SIZE)
    for parameter in network.stages[1].network.conv_out.parameters():
        torch.nn.init.zeros_(parameter)
    coarse_BKuv = (4 * torch.rand((3, 3, 4, 4), generator=torch.Generator().manual_seed(1))).softmax(1)
    open_BKHW = shares_of(torch.zeros((3, SIZE, SIZE), dtype=torch.uint8), 2)
    free_BK = torch.tensor([[False, True, True]] * 3)
    context = network.context(1, open_BKHW, free_BK, coarse_BKuv)
    nothing_BKHW = torch.zeros(3, 3, SIZE, SIZE)
    shares_BKHW = network.logits(1, nothing_BKHW, torch.ones(3), context, free_BK).softmax(1)
    smooth_BKHW = functional.interpolate(coarse_BKuv, (SIZE, SIZE), mode="bilinear")
    torch.testing.assert_close(shares_BKHW, smooth_BKHW, atol=0.04, rtol=0)
    certain_BKHW = nothing_BKHW.clone()
    certain_BKHW[:, 2] = 1
    seen_BKHW = network.logits(1, certain_BKHW, torch.full((3,), 0.3), context, free_BK).softmax(1)
    assert (seen_BKHW[:, 2] > shares_BKHW[:, 2]).all(), "noisy shares must be read"


def test_sampling_takes_the_steps_of_ddim():
    (stage,) = settings(cells=(1,), first={"noise_scale": 0.5}).stages
    x_BKHW = torch.randn((2, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    start_BKHW = x_BKHW.clone()

    def shares_at(x_BKHW, time_B):
        return (x_BKHW + time_B.view(-1, 1, 1, 1)).softmax(1)

    times = torch.linspace(1, 0, stage.steps + 1)
    for now, then in itertools.pairwise(times):
        shares_BKHW = shares_at(x_BKHW, now.expand(2))
        signal = alpha_bar(now, 0.5)
        eps_BKHW = (x_BKHW - signal.sqrt() * (2 * shares_BKHW - 1)) / (1 - signal).sqrt()
        x_BKHW = noisy(shares_BKHW, eps_BKHW, alpha_bar(then, 0.5))
    torch.testing.assert_close(sample_stage(stage, start_BKHW, shares_at), shares_BKHW)
