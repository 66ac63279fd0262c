"""What the sources of all datasets share."""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.checks.names import check_cells

LARGEST_LABEL = 2**32 - 1  # atlases number regions far beyond 255
Label = Annotated[int, Field(ge=0, le=LARGEST_LABEL)]


class PatientSource(Settings):
    """Where patients come from. What its files hold is read by segguided.data.sources."""

    # The fields that slicing reads beside the patient's files, whose paths it is given. Another value of one
    # slices all patients and trains all models again; another value of a field left out does not.
    read_by_slicing: ClassVar[frozenset[str]] = frozenset({"kind"})

    def for_slicing(self) -> dict[str, Any]:
        """What slicing reads of it, and a dot for the paths, which it is given otherwise."""
        paths = [name for name, field in type(self).model_fields.items() if field.is_required()]
        return dict.fromkeys(paths, ".") | self.model_dump(include=set(self.read_by_slicing))

    @property
    def columns(self) -> set[str]:
        """Columns of the patient table it needs."""
        return {"patient"}

    @property
    def columns_read_by_slicing(self) -> set[str]:
        """Those of its columns that decide what the patient's files mean, not which they are."""
        return {"patient"}

    @property
    def path_columns(self) -> set[str]:
        """Of these, the columns whose cells become part of a file's path."""
        return set()

    def check_rows(self, rows: Iterable[Mapping[str, str]], manifest: str) -> None:
        """Raise ValueError, with file and line, for a cell that names no file in the source's folder."""
        for row in rows:
            place = getattr(row, "place", manifest)
            check_cells(row, sorted(self.path_columns), place)

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
