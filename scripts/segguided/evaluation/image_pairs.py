"""How alike pairs of images are, over all their channels. Shape letters: M pairs, H height, W width."""

import numpy as np
import torch
from monai.metrics.regression import SSIMMetric


def structural_similarity(first_MHW: np.ndarray, second_MHW: np.ndarray) -> np.ndarray:
    """SSIM of each pair of uint8 images, (M,); MONAI's, with its 11-pixel Gaussian window."""
    metric = SSIMMetric(spatial_dims=2, data_range=255)
    scores_M: np.ndarray = metric(_to_tensor(first_MHW), _to_tensor(second_MHW)).flatten().numpy()
    return scores_M


def _to_tensor(images_MHW: np.ndarray) -> torch.Tensor:
    """The images (M, channels, H, W), float."""
    images = torch.from_numpy(np.array(images_MHW)).float()
    return images[:, None] if images.ndim == 3 else images.movedim(-1, 1)


def mean_absolute_difference(first_MHW: np.ndarray, second_MHW: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each pair, in grey levels, (M,)."""
    difference = np.abs(first_MHW.astype(int) - second_MHW)
    difference_M: np.ndarray = difference.mean(axis=tuple(range(1, difference.ndim)))
    return difference_M
