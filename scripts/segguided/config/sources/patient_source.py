"""What the sources of all datasets have in common."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from segguided.config.base import Settings
from segguided.config.channels import Channel
from segguided.config.checks.names import check_cells
from segguided.config.classes import AnatomyClass


class PatientSource(Settings):
    """Where patients come from. segguided.data.datasets.sources reads their files."""

    # The fields that slicing reads beside the patient's files, whose paths it is given. A new value of one of
    # these slices all patients and trains all models again; a new value of another field does not.
    read_by_slicing: ClassVar[frozenset[str]] = frozenset({"kind"})

    def for_slicing(self) -> dict[str, Any]:
        """The fields that slicing reads, and a dot for each required path, which it is given elsewhere."""
        required = [name for name, field in type(self).model_fields.items() if field.is_required()]
        fields = dict.fromkeys(required, ".") | self.model_dump(include=set(self.read_by_slicing))
        channels = [channel.for_slicing(number) for number, channel in enumerate(self.image_channels, 1)]
        return fields | ({"channels": channels} if channels else {})

    @property
    def image_channels(self) -> tuple[Channel, ...]:
        """The channels of an image; none where it has one, without a name."""
        return tuple(getattr(self, "channels", ()))

    @property
    def columns(self) -> set[str]:
        """The columns of the patient table that the source needs."""
        return {"patient"}

    @property
    def columns_read_by_slicing(self) -> set[str]:
        """The columns that decide how the patient's files are read, not which files they are."""
        return {"patient"}

    @property
    def path_columns(self) -> set[str]:
        """The columns whose cells become part of a file's path."""
        return set()

    def check_classes(self, classes: Sequence[AnatomyClass]) -> None:
        """Raise ValueError where the source cannot find a class of the dataset in its masks."""
        raise NotImplementedError

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The files or folders of the patient in `row`: the user's own, or paths that rules make."""
        raise NotImplementedError

    def check_rows(self, rows: Iterable[Mapping[str, str]], manifest: str) -> None:
        """Raise ValueError, with file and line, for a cell that names no file in the source's folder."""
        for row in rows:
            place = getattr(row, "place", manifest)
            check_cells(row, sorted(self.path_columns), place)

    def check_columns(self, columns: Collection[str], manifest: str) -> None:
        """Raise ValueError where the patient table lacks a column."""
        missing = sorted(self.columns - set(columns))
        if missing:
            raise ValueError(
                f"{manifest}: no column {', '.join(missing)}, which its dataset's source needs; "
                f"there are {', '.join(columns)}"
            )
