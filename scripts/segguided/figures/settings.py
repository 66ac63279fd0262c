"""The arguments of the figures' scripts: the dataset of each block, the models in order."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from pydantic import field_validator

from segguided.cli import slices_parser
from segguided.config.base import Settings
from segguided.figures.class_titles import drawn_titles, legend_of, titles_of
from segguided.figures.colours import mask_colours
from segguided.figures.composite import shown_title
from segguided.text_tables import read_lines

ModelTitles = Sequence[tuple[str, str]]  # name and title of each model


class FigureClass(Settings):
    """Name, colour and title of one class; None: its name is the title."""

    name: str
    color: str
    title: str | None = None


class FigureDataset(Settings):
    """One block's data: classes, the test patients' slice files, and the generated set of each model.

    In place of the slice files, `slices` may be @FILE: the files are its lines, as on a command line.
    """

    name: str
    classes: tuple[FigureClass, ...]
    slices: tuple[Path, ...]
    generated: dict[str, Path]
    free: Path | None = None  # images of masks that were made from nothing but a seed
    channels: tuple[str, ...] = ()  # names of the channels of an image; none: one, without a name

    @property
    def title(self) -> str:
        """The name over its block."""
        return shown_title(self.name, self.channels)

    @property
    def class_names(self) -> list[str]:
        """The classes' names, in the order of their values, from 1."""
        return [c.name for c in self.classes]

    @property
    def colours(self) -> dict[str, str]:
        """Each class's colour, unlike all others', by name."""
        return mask_colours({c.name: c.color for c in self.classes})

    @property
    def legend(self) -> dict[str, str]:
        """The same colours by what figures call the classes."""
        return legend_of(self.classes)

    @property
    def titles(self) -> dict[str, str]:
        """The classes' titles by name, for pages of text."""
        return titles_of(self.classes)

    @property
    def drawn_titles(self) -> dict[str, str]:
        """What figures call the classes, by name."""
        return drawn_titles(self.classes)

    def generated_by(self, model: str) -> Path:
        """The generated set of a model. Raises ValueError where there is none."""
        if model not in self.generated:
            raise ValueError(f"{self.name}: no images of {model}; there are {', '.join(self.generated)}")
        return self.generated[model]

    @field_validator("slices", mode="before")
    @classmethod
    def _read_list(cls, slices: object) -> object:
        if isinstance(slices, str) and slices.startswith("@"):
            return read_lines(Path(slices[1:]))
        return slices


def figure_parser(
    description: str | None, n_slices: int | None = None, *, models: bool = False, pdf: bool = True
) -> ArgumentParser:
    """The command line that figures share: --dataset for each block, --png and, if `pdf`, --pdf.

    With a default `n_slices` also --n-slices; with `models` also --model NAME TITLE for each model, in order.
    """
    parser = slices_parser(description)
    parser.add_argument(
        "--dataset",
        dest="datasets",
        type=FigureDataset.from_json,
        action="append",
        required=True,
        help="JSON; repeat",
    )
    if models:
        parser.add_argument(
            "--model",
            dest="models",
            nargs=2,
            action="append",
            required=True,
            metavar=("NAME", "TITLE"),
            help="a column; repeat, in order",
        )
    if n_slices is not None:
        parser.add_argument("--n-slices", type=int, default=n_slices, help="test slices of each dataset")
    parser.add_argument("--png", type=Path, required=True)
    if pdf:
        parser.add_argument("--pdf", type=Path, required=True)
    return parser
