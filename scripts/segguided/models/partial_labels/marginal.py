"""The loss of a segmenter on partly annotated images: nothing is judged by what nobody looked for.

Shape letters: B batch, C classes with background, V values that a mask can have, H height, W width.
"""

import torch
from monai.losses import DiceLoss
from torch import Tensor

from segguided.models.partial_labels.joined import joined_log_probabilities


def marginal_dice_entropy(logits_BCHW: Tensor, onehot_BCHW: Tensor, not_annotated_BV: Tensor) -> Tensor:
    """Dice + cross-entropy of logits and one-hot labels, a scalar, as MONAI's DiceCELoss(softmax=True).

    The mean Dice is over the classes that an image is annotated for; each image and class counts alike.
    """
    not_annotated_BC = not_annotated_BV[:, : logits_BCHW.shape[1]]
    log_p_BCHW = logits_BCHW.log_softmax(1)
    joined_BCHW = joined_log_probabilities(log_p_BCHW, not_annotated_BC)
    entropy = -(onehot_BCHW * joined_BCHW).sum(1).mean()
    is_known_BC11 = ~not_annotated_BC[:, :, None, None]
    p_BCHW = torch.where(onehot_BCHW > 0, joined_BCHW, log_p_BCHW).exp() * is_known_BC11
    dice_BC = DiceLoss(reduction="none")(p_BCHW, onehot_BCHW)[..., 0, 0]
    known_BC = is_known_BC11[..., 0, 0].float()
    return (dice_BC * known_BC).sum() / known_BC.sum() + entropy
