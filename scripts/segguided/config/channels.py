"""Settings of the channels of an image: one to four, such as the T1 and the T2 image of one examination."""

import operator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from segguided.config.base import Settings
from segguided.config.checks.labels import repeated_names
from segguided.config.checks.names import check_inside, placeholders
from segguided.config.checks.texts import ClassName
from segguided.config.intensity import Intensity
from segguided.config.limits import MOST_CHANNELS


class Channel(Settings):
    """One channel of each image."""

    name: ClassName
    intensity: Intensity | None = None  # None: that of the dataset

    def for_slicing(self, number: int) -> dict[str, Any]:
        """What slicing reads: a number for the name, and the intensity; the files are given elsewhere."""
        return {"name": str(number), "intensity": self.intensity and self.intensity.model_dump()}


def varies_by_patient(pattern: str) -> str:
    """The same file name pattern. Raises ValueError for one of all patients, or that leads elsewhere."""
    if not placeholders(pattern):
        raise ValueError(f"'{pattern}' names one file for all patients; use a column, such as {{patient}}")
    return check_inside(pattern, "the file")


Pattern = Annotated[str, AfterValidator(varies_by_patient)]


class NiftiChannel(Channel):
    """A file of its own, or, where no channel names one, the next volume of the patient's 4-D file."""

    image: Pattern | None = None


class DicomChannel(Channel):
    """A series of its own: a folder below the source's `images`, named by any columns of the table."""

    series: Pattern

    def for_slicing(self, number: int) -> dict[str, Any]:
        """The same, with any series."""
        return {**super().for_slicing(number), "series": "{patient}"}


class PhantomChannel(Channel):
    """A contrast of the phantom; all have the same anatomy, and each has noise of its own."""

    contrast: Literal["t1-fat-suppressed", "t2"]

    def for_slicing(self, number: int) -> dict[str, Any]:
        """The same, with any contrast."""
        return {**super().for_slicing(number), "contrast": "t2"}


def check_channels(channels: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same channels. Raises ValueError for too many, and for two of one name."""
    if len(channels) > MOST_CHANNELS:
        raise ValueError(
            f"expected one to {MOST_CHANNELS} channels, got {len(channels)}; keep those that you need most"
        )
    repeated = repeated_names([channel.name for channel in channels])
    if repeated:
        raise ValueError(f"channel names must differ, but {repeated} appears twice; rename one")
    return channels


def channels_field() -> Any:
    """The field of a source's channels: left out of JSON where there are none, so that it stays as it was."""
    return Field(default=(), exclude_if=operator.not_)
