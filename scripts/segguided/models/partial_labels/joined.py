"""Labels of partly annotated images: a class that is not annotated joins the class that a label names.

The marginal loss of Shi et al. (Medical Image Analysis 70, 2021) and the target adaptive loss of Fang and Yan
(IEEE Trans. Med. Imaging 39, 2020) join such classes with the background. Here they join whichever class the
pixel is labelled with, because one may lie inside another, as vessels do in a breast.

Shape letters: B batch, C classes with background, H height, W width.
"""

import torch
from torch import Tensor

NEVER = -1e4  # the logarithm of the probability of what does not join


def joined_log_probabilities(log_p_BCHW: Tensor, not_annotated_BC: Tensor) -> Tensor:
    """log(p_c + Σ p_k over the classes k that are not annotated), for each class c: what a label c allows."""
    joins_BC11 = not_annotated_BC[:, :, None, None]
    unknown_B1HW = log_p_BCHW.masked_fill(~joins_BC11, NEVER).logsumexp(1, keepdim=True)
    return torch.where(joins_BC11, log_p_BCHW, torch.logaddexp(log_p_BCHW, unknown_B1HW))
