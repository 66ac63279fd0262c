"""TensorBoard's event files of a training: the rows of its history.csv as curves, and its previews.

The libraries that write them are large and not part of the environment: they are used where installed.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from segguided.training.loop import TrainingProgress

LOG = logging.getLogger("segguided")
EVENTS = "tensorboard"  # the folder beside a training's output


def summary_writer() -> Any:
    """The class that writes event files, of tensorboardX or else of torch with tensorboard.

    Raises ValueError if neither is installed.
    """
    try:
        from tensorboardX import SummaryWriter  # noqa: PLC0415 - only where event files are asked for
    except ImportError:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
        except ImportError:
            raise ValueError(
                "tensorboard: true needs tensorboardX or tensorboard, and neither is installed where this "
                "training runs; run `pip install tensorboardX` there, or set tensorboard: false"
            ) from None
    return SummaryWriter


class EventFiles:
    """Writes each row of the history once it is complete; an earlier attempt's later steps go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None
        self._rows = 0

    def update(self, progress: TrainingProgress) -> None:
        """Write the rows that are new since the last call; in the first call, since the step before."""
        if self._writer is None:
            self._open(progress)
        for row in progress.history[self._rows :]:
            for name, value in row.items():
                if name not in ("epoch", "step"):
                    self._writer.add_scalar(name, value, int(row["step"]))
            self._writer.flush()
        self._rows = len(progress.history)

    def show(self, picture_HW: np.ndarray, step: int) -> None:
        """Write a preview."""
        self._writer.add_image("preview", picture_HW, step, dataformats="HW")
        self._writer.flush()

    def _open(self, progress: TrainingProgress) -> None:
        """Begin a file. Those of a training that a fresh start replaces are deleted."""
        if progress.step == 1:
            for path in self.folder.glob("events.out.tfevents.*"):
                path.unlink()
        self._writer = summary_writer()(str(self.folder), purge_step=progress.step)
        self._rows = sum(row["step"] < progress.step for row in progress.history)
