"""What the sources of all datasets share."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

from pydantic import Field

from segguided.config.base import Settings

Label = Annotated[int, Field(ge=0, le=255)]


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

    def check_rows(self, rows: Iterable[Mapping[str, str]], manifest: str) -> None:
        """Raise ValueError where a row cannot be of this source; most sources take any."""
