"""Classes that a patient was not annotated for: free in generators, without a part in a segmenter's loss."""

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss
from torch.nn import functional

from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.models.completer.shares import in_cells, open_entropy, shares_of
from segguided.models.mask_ablation import ablate_classes
from segguided.models.partial_labels.segmenter_loss import known_dice_entropy
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.training import ranks

CLASSES = 3
VESSELS = 2


def batch(n=4):
    """Logits, masks without vessels in the second half, and which images lack their annotation."""
    generator = torch.Generator().manual_seed(0)
    logits_BCHW = torch.randn((n, CLASSES + 1, 8, 8), generator=generator)
    masks_BHW = torch.randint(0, CLASSES + 1, (n, 8, 8), generator=generator)
    missing_BV = torch.zeros((n, 256), dtype=torch.bool)
    missing_BV[n // 2 :, VESSELS] = True
    masks_BHW[n // 2 :][masks_BHW[n // 2 :] == VESSELS] = 1  # a breast, below vessels that nobody drew
    return logits_BCHW, masks_BHW.to(torch.uint8), missing_BV


def onehot(masks_BHW):
    return functional.one_hot(masks_BHW.long(), CLASSES + 1).movedim(-1, 1).float()


@pytest.mark.parametrize("per", ["sample", "batch"])
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_what_is_not_annotated_is_always_free_and_changes_nothing_else(per, share):
    _, masks_BHW, missing_BV = batch(64)
    free = []
    for flags_BV in (missing_BV, None):
        generator = torch.Generator().manual_seed(3)
        free.append(ablate_classes(masks_BHW, CLASSES, per, generator, share, not_annotated_BV=flags_BV))
    (partial_BHW, partial_BK), (whole_BHW, whole_BK) = free
    assert partial_BK[32:, VESSELS].all()
    assert not whole_BK[32:, VESSELS].all()
    others = [k for k in range(CLASSES + 1) if k != VESSELS]
    assert torch.equal(partial_BK[:, others], whole_BK[:, others])
    assert torch.equal(partial_BK[:32], whole_BK[:32])
    assert torch.equal(partial_BHW, whole_BHW)  # the masks do not hold it in any case


def test_without_ablation_only_what_is_not_annotated_is_free():
    _, masks_BHW, missing_BV = batch()
    unchanged_BHW, free_BK = ablate_classes(
        masks_BHW, CLASSES, "none", torch.Generator(), not_annotated_BV=missing_BV
    )
    assert torch.equal(unchanged_BHW, masks_BHW)
    assert torch.equal(free_BK, missing_BV[:, : CLASSES + 1])


def test_fully_annotated_images_have_monais_loss():
    logits_BCHW, masks_BHW, missing_BV = batch()
    ours = known_dice_entropy(logits_BCHW, onehot(masks_BHW), torch.zeros_like(missing_BV))
    torch.testing.assert_close(ours, DiceCELoss(softmax=True)(logits_BCHW, onehot(masks_BHW)))


def test_predicting_what_nobody_looked_for_costs_nothing():
    _, masks_BHW, missing_BV = batch()
    right_BCHW = 50 * (onehot(masks_BHW) - 0.5)
    right = known_dice_entropy(right_BCHW, onehot(masks_BHW), missing_BV)
    bold_BCHW = right_BCHW.clone()
    bold_BCHW[2:, VESSELS, :4] = 99
    bold = known_dice_entropy(bold_BCHW, onehot(masks_BHW), missing_BV)
    torch.testing.assert_close(bold, right)
    assert DiceCELoss(softmax=True)(bold_BCHW, onehot(masks_BHW)) > right + 1


def test_shares_of_a_batch_weighted_by_their_images_have_its_loss():
    """As processes take them: of unequal size, and not annotated alike."""
    logits_BCHW, masks_BHW, missing_BV = batch()
    whole = known_dice_entropy(logits_BCHW, onehot(masks_BHW), missing_BV)
    shares = [(0, 3), (3, len(masks_BHW))]
    of_shares = [
        (last - first)
        / len(masks_BHW)
        * known_dice_entropy(
            logits_BCHW[first:last], onehot(masks_BHW)[first:last], missing_BV[first:last], missing_BV
        )
        for first, last in shares
    ]
    torch.testing.assert_close(sum(of_shares), whole)
    counts = [int((~missing_BV[first:last]).sum()) / (last - first) for first, last in shares]
    assert counts[0] != counts[1], "else a mean of each share's own would do"


def test_processes_together_have_a_segmenters_loss_of_the_whole_batch(monkeypatch):
    settings = Segmenter(
        channels=(4, 8), training=Training(steps=1, batch_size=4, learning_rate=1e-3, precision="fp32")
    )
    _, masks_BHW, missing_BV = batch()
    images_BHW = masks_BHW * 50
    losses = []
    for share in (slice(None), slice(0, 3), slice(3, None)):
        torch.manual_seed(0)
        network = build_segmenter(settings, CLASSES)
        learner = SegmenterLearner(network, settings, 1, None, torch.device("cpu"))
        monkeypatch.setattr(ranks, "own_share", lambda tensor, share=share: tensor[share])
        told = learner.update(images_BHW, masks_BHW, torch.Generator(), missing_BV)
        losses.append(told["loss"])
    whole, *of_shares = losses
    assert float(whole) > 0.5
    torch.testing.assert_close(sum(of_shares), whole, rtol=1e-5, atol=1e-6)


def test_no_gradient_moves_what_is_not_annotated_and_the_others_learn():
    logits_BCHW, masks_BHW, missing_BV = batch()
    logits_BCHW.requires_grad_(True)
    known_dice_entropy(logits_BCHW, onehot(masks_BHW), missing_BV).backward()
    assert (logits_BCHW.grad[2:, VESSELS] == 0).all()
    assert (logits_BCHW.grad[:2] != 0).all()
    assert (logits_BCHW.grad[2:, [0, 1, 3]] != 0).all()


def test_the_loss_has_finite_gradients():
    logits_BCHW, masks_BHW, missing_BV = batch()
    logits_BCHW.requires_grad_(True)
    known_dice_entropy(200 * logits_BCHW, onehot(masks_BHW), missing_BV).backward()
    assert torch.isfinite(logits_BCHW.grad).all()


def test_a_completers_loss_does_not_ask_for_background_in_place_of_what_is_free():
    logits_BCHW, masks_BHW, missing_BV = batch()
    masks_BHW = torch.where(masks_BHW == 1, 0, masks_BHW)
    shares_BKHW = shares_of(masks_BHW, CLASSES)
    kept_BKHW = torch.zeros_like(shares_BKHW)
    kept_BKHW[:, 0] = 1
    cells = [in_cells(x, 2) for x in (shares_BKHW, kept_BKHW)]
    missing_BK = missing_BV[:, : CLASSES + 1]
    open_BCHW = logits_BCHW[:, :, ::2, ::2].clone().requires_grad_(True)
    open_entropy(open_BCHW, *cells, missing_BK).backward()
    assert (open_BCHW.grad[2:, VESSELS] == 0).all()
    assert (open_BCHW.grad[:2, VESSELS] != 0).any()
    np.testing.assert_allclose(
        open_entropy(logits_BCHW[:2, :, ::2, ::2], *(x[:2] for x in cells), missing_BK[:2]),
        open_entropy(logits_BCHW[:2, :, ::2, ::2], *(x[:2] for x in cells)),
        rtol=1e-6,
    )
