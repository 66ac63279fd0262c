"""A run folder that suffices: run.json beside the weights says what a model's masks and images mean.

It is no output of training, so a renamed class trains nothing again.
"""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from segguided.config.base import Settings
from segguided.config.sampling import Sampling
from segguided.seals import AGAIN, read_sealed, write_sealed
from segguided.training.storage import WEIGHTS_KEY, check_weights, read_description

RUN_FILE = "run.json"
WEIGHTS_FILE = "model.safetensors"
COMPLETER_FOLDER = "completer"  # where a copied run folder may hold its mask completer
FORMAT = 1  # of run.json


class SeenClass(Settings):
    """A class, and what the masks of training looked like; shares are of an image's pixels."""

    name: str
    title: str | None = None  # as figures show it; a file of an earlier version has none: the name
    color: str
    value: int  # in slices and in PNG label maps
    label: int  # in the dataset's label volumes
    share_of_masks: float  # that hold it
    patients: int | None = None  # whose masks hold it; a file of an earlier version does not say
    # 1st, 50th and 99th percentile over the masks that hold it; None: no mask does.
    area: tuple[float, float, float] | None
    # Of its centre, from 0 (top, left) to 1: 1st and 99th percentile of the row, then of the column.
    rows: tuple[float, float] | None
    columns: tuple[float, float] | None


class SeenChannel(Settings):
    """A channel of the images, and which raw values are black and white in it."""

    name: str
    intensity: dict[str, Any]


class RunFacts(Settings):
    """What run.json holds."""

    format: int
    dataset: str
    model: str
    title: str
    kind: str
    seed: int
    classes: tuple[SeenClass, ...]
    image_size: int  # pixels a side
    intensity: dict[str, Any]  # which raw values are black and white
    channels: tuple[SeenChannel, ...] = Field(default=(), exclude_if=operator.not_)  # none: grey images
    interpolation: str
    pixel_mm: tuple[float, float] | None  # least and largest side of a pixel in the training slices
    orientation: str
    patients: dict[str, tuple[str, ...]]  # by split
    training_masks: int
    preparation: str | None  # the digest of the settings that made the slices
    sampling: Sampling
    weights_sha256: str
    completer: str | None  # path of its weights, from the run folder; None: the model has no mask completer

    @property
    def n_channels(self) -> int:
        """How many channels its images have."""
        return max(1, len(self.channels))


class RunFolder:
    """A run folder with its facts: `weights`, and `completer` where the model has one that is there."""

    def __init__(self, folder: Path, facts: RunFacts) -> None:
        self.folder = folder
        self.facts = facts

    @property
    def weights(self) -> Path:
        """model.safetensors."""
        return self.folder / WEIGHTS_FILE

    @property
    def class_names(self) -> list[str]:
        """In the order of their values, from 1."""
        return [known.name for known in self.facts.classes]

    def completer(self) -> Path | None:
        """The weights of the mask completer, in the folder itself or where the run left it.

        None for a model without one. Raises ValueError where it is missing.
        """
        if self.facts.completer is None:
            return None
        places = (self.folder / COMPLETER_FOLDER / WEIGHTS_FILE, self.folder / self.facts.completer)
        for place in places:
            if place.is_file():
                return place
        raise ValueError(
            f"{places[0]}: the mask completer of {self.facts.model} is missing; copy the folder "
            f"{Path(self.facts.completer).parent} of the run to {places[0].parent}"
        )


def write_run_facts(path: Path, facts: RunFacts) -> None:
    """Write run.json."""
    write_sealed(path, facts.model_dump(mode="json"))


def read_run(folder: Path) -> RunFolder:
    """The run folder. Raises ValueError for another folder, and where its weights are damaged or others."""
    path = folder / RUN_FILE
    if not folder.is_dir():
        got = "got a file" if folder.exists() else "but there is none"
        raise ValueError(f"{folder}: expected the folder of a trained model, {got}; correct the name")
    if not path.is_file():
        raise ValueError(
            f"{folder} has no {RUN_FILE}, so nothing says what its classes are; name a folder "
            "runs/DATASET/MODEL/seedN of the results, or make the file, with its training's configuration: "
            f"snakemake {path} --configfile mine.yaml"
        )
    with _remedies(folder):
        return _checked(RunFolder(folder, _facts_in(path)), path)


def _checked(run: RunFolder, path: Path) -> RunFolder:
    """The same run folder. Raises ValueError where its weights are missing, damaged or others."""
    if not run.weights.is_file():
        raise ValueError(f"{run.weights}: expected the model's weights, but there are none; copy them here")
    if read_description(run.weights).get(WEIGHTS_KEY) != run.facts.weights_sha256:
        raise ValueError(
            f"{path} was written for other weights than {run.weights}; delete it and make it again"
        )
    check_weights(run.weights)
    return run


@contextmanager
def _remedies(folder: Path) -> Iterator[None]:
    """Advice to delete a damaged file and run the command again becomes one that helps here.

    It is meant for the rules of the pipeline, which would make the file. This command makes none.
    """
    try:
        yield
    except ValueError as error:
        text = str(error)
        if not text.endswith(AGAIN):
            raise
        copy = f"copy the folder {folder.name} from the results again, or let the pipeline make the file"
        raise ValueError(f"{text.removesuffix(AGAIN)}{copy}") from None


def _facts_in(path: Path) -> RunFacts:
    """What run.json holds. Raises ValueError for a file of a version with other keys or another format."""
    values = read_sealed(path)
    if values.get("format", FORMAT) != FORMAT:
        reason = f"its format is {values['format']}, this version reads {FORMAT}"
    else:
        try:
            return RunFacts.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    raise ValueError(f"{path} is of another version ({reason}); delete it and make it again")
