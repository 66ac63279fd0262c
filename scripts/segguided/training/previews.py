"""Preview images of a training: what the model makes of some fixed masks, every so many steps.

They are drawn with a copy of the network and random numbers of their own: the training does not notice them.
Shape letters: N previewed slices, H height, W width.
"""

import logging
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from segguided.data.slices import SliceSet
from segguided.files import atomic_path
from segguided.training.loop import TrainingProgress
from segguided.training.preview_files import PATTERN, preview_name

LOG = logging.getLogger("segguided")
MOST = 8  # slices in a preview
GAP = 2  # white pixels between images
WHITE = 255


class PreviewedLearner(Protocol):
    """A learner that gives copies of its network while it trains."""

    def averaged_copy(self) -> nn.Module:
        """A copy of the network as it would be handed over now, in evaluation mode."""


# masks_NHW and their ids -> images_NHW, uint8, by the present weights
ImagesOf = Callable[[Tensor, Sequence[str]], Tensor]


def images_by(sampler: str, learner: PreviewedLearner, settings: Any, seed: int) -> ImagesOf:
    """Images by the function `sampler` of generation.previews, which is given the three others.

    That module is loaded with the first preview and by its name. Samplers decide no weights: they must stand
    neither in the digest of a training's code, which reruns it, nor in the fingerprint of its resume file.
    """

    def images_of(masks_NHW: Tensor, names: Sequence[str]) -> Tensor:
        previews = import_module("segguided.generation.previews")
        made_NHW: Tensor = getattr(previews, sampler)(learner, settings, seed)(masks_NHW, names)
        return made_NHW

    return images_of


def preview_slices(slices: SliceSet, most: int = MOST) -> np.ndarray:
    """Which slices are previewed: spread evenly over those that show a class, the same in each run."""
    shown = [(stack.masks_SHW != 0).any((1, 2)) for stack in slices.stacks]
    candidates = np.flatnonzero(np.concatenate(shown))
    if not len(candidates):
        candidates = np.arange(len(slices))
    places = np.linspace(0, len(candidates) - 1, min(most, len(candidates)))
    return candidates[places.round().astype(int)]


class Previews:
    """Writes `previews/step00001000.png` every so many steps: under each mask its real and generated image.

    Where a file cannot be written, or the device has no memory for a copy, training goes on with one warning.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        slices: SliceSet,
        images_of: ImagesOf,
        show: Callable[[np.ndarray, int], None] | None = None,
    ) -> None:
        """`show` also receives each picture, (H, W) uint8, with its step."""
        self.folder = folder
        self.every = every
        self.images_of = images_of
        self.show = show
        chosen_N = preview_slices(slices)
        images_NHW, masks_NHW = slices.batch(chosen_N)
        self.names = [slices.names[n] for n in chosen_N]
        self.masks_NHW = torch.from_numpy(masks_NHW)
        levels = max(1, int(masks_NHW.max()))
        shown_NHW = (masks_NHW.astype(np.uint16) * WHITE // levels).astype(np.uint8)
        self.rows = [shown_NHW, *rows_of(images_NHW)]
        self._started = False
        self._warned = False

    def update(self, progress: TrainingProgress) -> None:
        """Draw a preview if one is due after this step."""
        try:
            if not self._started:
                self._remove_from(progress.step)
            if progress.step % self.every == 0:
                self._draw(progress.step)
        except (OSError, MemoryError, torch.OutOfMemoryError) as error:
            if not self._warned:
                LOG.warning("no preview of step %d: %s; training goes on", progress.step, error)
            self._warned = True

    def _remove_from(self, step: int) -> None:
        """Delete previews of an earlier training, or of steps that are done again."""
        self._started = True
        for path in self.folder.glob(PATTERN):
            if path.name >= preview_name(step):
                path.unlink()

    def _draw(self, step: int) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        devices = [torch.cuda.current_device()] if device == "cuda" else []
        with torch.random.fork_rng(devices), torch.no_grad():
            generated_NHW = self.images_of(self.masks_NHW, self.names).cpu().numpy()
        picture_HW = grid([*self.rows, *rows_of(generated_NHW)])
        with atomic_path(self.folder / preview_name(step)) as temporary:
            Image.fromarray(picture_HW).save(temporary, format="PNG")
        if self.show:
            self.show(picture_HW, step)


def rows_of(images_NHW: np.ndarray) -> list[np.ndarray]:
    """Images as rows of grey ones: one, or one for each channel."""
    return [images_NHW] if images_NHW.ndim == 3 else list(np.moveaxis(images_NHW, -1, 0))


def grid(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of images (N, H, W), uint8, as one picture with gaps."""
    gap = ((0, 0), (0, GAP), (0, GAP))
    padded = [np.pad(row_NHW, gap, constant_values=WHITE) for row_NHW in rows]
    return np.concatenate([np.concatenate(list(row_NHW), axis=1) for row_NHW in padded])[:-GAP, :-GAP]
