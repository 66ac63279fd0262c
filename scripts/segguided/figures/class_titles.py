"""What figures call the classes: their titles, as far as this machine has the letters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from segguided.figures.colours import mask_colours
from segguided.figures.fonts import drawable


class TitledClass(Protocol):
    """A class of a dataset; its title is None or empty where its name is the title."""

    @property
    def name(self) -> str:
        """Unlike all others' in the dataset."""

    @property
    def title(self) -> str | None:
        """Unlike all others' titles and names in the dataset."""

    @property
    def color(self) -> str:
        """As the configuration has it; perhaps another class's too."""


def titles_of(classes: Sequence[TitledClass]) -> dict[str, str]:
    """The title of each class, by name."""
    return {known.name: known.title or known.name for known in classes}


def drawn_titles(classes: Sequence[TitledClass]) -> dict[str, str]:
    """The same for figures: the name takes the place of a title whose letters no font of this machine has."""
    return {name: drawable(title, name) for name, title in titles_of(classes).items()}


def legend_of(
    classes: Sequence[TitledClass],
    colours_of: Callable[[Mapping[str, str]], dict[str, str]] = mask_colours,
) -> dict[str, str]:
    """The colour of each class, unlike all others', by the title in figures; in the order of the values."""
    colours = colours_of({known.name: known.color for known in classes})
    return {title: colours[name] for name, title in drawn_titles(classes).items()}
