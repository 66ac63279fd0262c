"""How alike pairs of images are. Shape letters: M pairs, H height, W width."""

import numpy as np
import torch
from monai.metrics.regression import SSIMMetric


def structural_similarity(images_MHW: np.ndarray, others_MHW: np.ndarray) -> np.ndarray:
    """SSIM of each pair of uint8 images, (M,); MONAI's, with its 11-pixel Gaussian window."""
    pair = (torch.from_numpy(np.array(a))[:, None].float() for a in (images_MHW, others_MHW))
    scores_M: np.ndarray = SSIMMetric(spatial_dims=2, data_range=255)(*pair).flatten().numpy()
    return scores_M


def mean_absolute_difference(images_MHW: np.ndarray, others_MHW: np.ndarray) -> np.ndarray:
    """Mean absolute difference of each pair, in grey levels, (M,)."""
    difference_M: np.ndarray = np.abs(images_MHW.astype(int) - others_MHW).mean(axis=(1, 2))
    return difference_M
