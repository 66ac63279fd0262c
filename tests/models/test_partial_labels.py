"""Classes that a patient was not annotated for: free in generators, without a part in a segmenter's loss."""

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss
from torch.nn import functional

from segguided.models.completer.shares import in_cells, open_entropy, shares_of
from segguided.models.mask_ablation import ablate_classes
from segguided.models.partial_labels.marginal import marginal_dice_entropy

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
    ours = marginal_dice_entropy(logits_BCHW, onehot(masks_BHW), torch.zeros_like(missing_BV))
    torch.testing.assert_close(ours, DiceCELoss(softmax=True)(logits_BCHW, onehot(masks_BHW)))


def test_predicting_what_nobody_looked_for_costs_nothing():
    _, masks_BHW, missing_BV = batch()
    sure = 50 * (onehot(masks_BHW) - 0.5)
    right = marginal_dice_entropy(sure, onehot(masks_BHW), missing_BV)
    vessels_BHW = masks_BHW.clone()
    vessels_BHW[2:, :4] = VESSELS
    bold = marginal_dice_entropy(50 * (onehot(vessels_BHW) - 0.5), onehot(masks_BHW), missing_BV)
    torch.testing.assert_close(bold, right, atol=1e-4, rtol=0)
    as_background = DiceCELoss(softmax=True)(50 * (onehot(vessels_BHW) - 0.5), onehot(masks_BHW))
    assert as_background > right + 1


def test_no_gradient_moves_a_share_between_a_label_and_what_may_lie_there():
    """The loss depends on the sum of both probabilities alone; where all is annotated it does not."""
    logits_BCHW, masks_BHW, missing_BV = batch()
    p_BCHW = logits_BCHW.softmax(1)
    label_B1HW = masks_BHW[:, None].long()
    half_B1HW = p_BCHW.gather(1, label_B1HW) / 2
    moved_BCHW = p_BCHW.scatter_add(1, label_B1HW, -half_B1HW)
    moved_BCHW[:, VESSELS] += half_B1HW[:, 0]
    losses = [
        marginal_dice_entropy(p[2:].log(), onehot(masks_BHW)[2:], missing_BV[2:])
        for p in (p_BCHW, moved_BCHW)
    ]
    torch.testing.assert_close(losses[0], losses[1])
    known = torch.zeros_like(missing_BV[2:])
    losses = [marginal_dice_entropy(p[2:].log(), onehot(masks_BHW)[2:], known) for p in (p_BCHW, moved_BCHW)]
    assert losses[1] > losses[0] + 0.1


def test_the_loss_has_finite_gradients():
    logits_BCHW, masks_BHW, missing_BV = batch()
    logits_BCHW.requires_grad_(True)
    marginal_dice_entropy(200 * logits_BCHW, onehot(masks_BHW), missing_BV).backward()
    assert torch.isfinite(logits_BCHW.grad).all()


def test_a_completers_loss_does_not_ask_for_background_in_place_of_what_is_free():
    logits_BCHW, masks_BHW, missing_BV = batch()
    masks_BHW = torch.where(masks_BHW == 1, 0, masks_BHW)
    shares_BKHW = shares_of(masks_BHW, CLASSES)
    kept_BKHW = torch.zeros_like(shares_BKHW)
    kept_BKHW[:, 0] = 1
    cells = [in_cells(x, 2) for x in (shares_BKHW, kept_BKHW)]
    sure_of_vessels = torch.zeros((4, CLASSES + 1, 4, 4))
    sure_of_vessels[:, VESSELS] = 20
    missing_BK = missing_BV[:, : CLASSES + 1]
    partial = [x[2:] for x in (sure_of_vessels, *cells, missing_BK)]
    assert open_entropy(*partial) < 1e-3
    assert open_entropy(*partial[:3]) > 10
    np.testing.assert_allclose(
        open_entropy(logits_BCHW[:2, :, ::2, ::2], *(x[:2] for x in cells), missing_BK[:2]),
        open_entropy(logits_BCHW[:2, :, ::2, ::2], *(x[:2] for x in cells)),
        rtol=1e-6,
    )
