"""The loss of a segmenter on partly annotated images: nothing is judged by what nobody looked for.

Shape letters: B images, N those of the whole batch, C classes with background, V values that a mask can have,
H height, W width.
"""

from monai.losses import DiceLoss
from torch import Tensor

from segguided.models.partial_labels.known import known_log_probabilities


def known_dice_entropy(
    logits_BCHW: Tensor,
    onehot_BCHW: Tensor,
    not_annotated_BV: Tensor,
    not_annotated_NV: Tensor | None = None,
) -> Tensor:
    """Dice + cross-entropy of logits and one-hot labels, a scalar, as MONAI's DiceCELoss(softmax=True).

    Both are over the classes that an image is annotated for; each image and class counts alike in Dice.
    `not_annotated_NV` is of the whole batch, where the images are a share of one: so the mean of the shares'
    losses, weighted by their images, is the loss of the whole batch. None: they are all.
    """
    classes = logits_BCHW.shape[1]
    not_annotated_BC = not_annotated_BV[:, :classes]
    not_annotated_NC = (not_annotated_BV if not_annotated_NV is None else not_annotated_NV)[:, :classes]
    log_p_BCHW = known_log_probabilities(logits_BCHW, not_annotated_BC)
    entropy = -(onehot_BCHW * log_p_BCHW).sum(1).mean()
    dice_BC = DiceLoss(reduction="none")(log_p_BCHW.exp(), onehot_BCHW)[..., 0, 0]
    known_BC = (~not_annotated_BC).float()
    share = len(not_annotated_BC) / len(not_annotated_NC)
    return (dice_BC * known_BC).sum() / ((~not_annotated_NC).float().sum() * share) + entropy
