"""What partly annotated images say: which class it is, if it is none of those that nobody looked for.

So the logit of a class that is not annotated gets no gradient from such an image, neither up nor down. A
restricted softmax, as Li and Zhan (KDD 2021) have it for classes that a client lacks.

Shape letters: B batch, C classes with background, H height, W width.
"""

from torch import Tensor

NEVER = -1e4  # the logit of a class that does not take part


def known_log_probabilities(logits_BCHW: Tensor, not_annotated_BC: Tensor) -> Tensor:
    """The logarithm of the softmax over the annotated classes; about NEVER for the others."""
    return logits_BCHW.masked_fill(not_annotated_BC[:, :, None, None], NEVER).log_softmax(1)
