"""What the sources of all datasets share."""

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import Field

from segguided.config.base import Settings

LARGEST_LABEL = 2**32 - 1  # atlases number regions far beyond 255
Label = Annotated[int, Field(ge=0, le=LARGEST_LABEL)]


class PatientSource(Settings):
    """Where patients come from. What its files hold is read by segguided.data.sources."""

    @property
    def columns(self) -> set[str]:
        """Columns of the patient table it needs."""
        return {"patient"}

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The files or folders of the patient in `row`: the user's own, or paths that rules make."""
        raise NotImplementedError

    def check_columns(self, columns: Collection[str], manifest: str) -> None:
        """Raise ValueError where the patient table lacks a column."""
        lacking = sorted(self.columns - set(columns))
        if lacking:
            raise ValueError(
                f"{manifest}: no column {', '.join(lacking)}, which its dataset's source needs; "
                f"there are {', '.join(columns)}"
            )
