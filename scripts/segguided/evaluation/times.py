"""Times of trainings: how long until the images are as easy to segment as a share of the real ones."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segguided.seals import read_sealed, write_sealed

Check = tuple[int, float, float]  # steps, seconds of training, macro Dice over the ceiling


@dataclass(frozen=True)
class TimedTraining:
    """A training that stopped where its images reached `share` of the ceiling, or at a limit."""

    share: float  # of the ceiling, the macro Dice of the real images of the same masks
    reached: bool
    seconds: float  # of training alone, until `share` was reached, or until the limit
    times_as_long: float  # as the training that all are timed against
    device: str
    checks: Sequence[Check]


def write_timed(path: Path, dataset: str, model: str, seed: int, timed: TimedTraining) -> None:
    """Write as JSON, with what was trained."""
    write_sealed(path, {"dataset": dataset, "model": model, "seed": seed, **asdict(timed)})


def read_timed(path: Path) -> TimedTraining:
    """Read what `write_timed` wrote. Raises ValueError for another file."""
    values: dict[str, Any] = read_sealed(path)
    try:
        return TimedTraining(**{name: values[name] for name in TimedTraining.__dataclass_fields__})
    except KeyError as error:
        raise ValueError(
            f"{path} is no timed training: it lacks {error}; delete it and time the training again"
        ) from None
