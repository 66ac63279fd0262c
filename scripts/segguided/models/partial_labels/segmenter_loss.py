"""The loss of a segmenter on partly annotated images: nothing is judged by what nobody looked for.

Shape letters: B batch, C classes with background, V values that a mask can have, H height, W width.
"""

from monai.losses import DiceLoss
from torch import Tensor

from segguided.models.partial_labels.known import known_log_probabilities


def known_dice_entropy(logits_BCHW: Tensor, onehot_BCHW: Tensor, not_annotated_BV: Tensor) -> Tensor:
    """Dice + cross-entropy of logits and one-hot labels, a scalar, as MONAI's DiceCELoss(softmax=True).

    Both are over the classes that an image is annotated for; each image and class counts alike in Dice.
    """
    not_annotated_BC = not_annotated_BV[:, : logits_BCHW.shape[1]]
    log_p_BCHW = known_log_probabilities(logits_BCHW, not_annotated_BC)
    entropy = -(onehot_BCHW * log_p_BCHW).sum(1).mean()
    dice_BC = DiceLoss(reduction="none")(log_p_BCHW.exp(), onehot_BCHW)[..., 0, 0]
    known_BC = (~not_annotated_BC).float()
    return (dice_BC * known_BC).sum() / known_BC.sum() + entropy
