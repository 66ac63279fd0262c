"""The names of a counterfactual set's variants: `edit/near`, `edit/alone/0` and `edit/alone/1`."""

from collections.abc import Iterable

from segguided.generation.variants import SEPARATOR

NEAR = "near"  # the counterfactual image
ALONE = "alone"  # images of the edited mask alone, with two noises: how much two seeds differ


def near_of(edit: str) -> str:
    """The variant of an edit's counterfactual images."""
    return f"{edit}{SEPARATOR}{NEAR}"


def alone_of(edit: str, number: int) -> str:
    """The variant of an edit's images of the edited mask alone, with noise `number`."""
    return f"{edit}{SEPARATOR}{ALONE}{SEPARATOR}{number}"


def edits_of(variants: Iterable[str]) -> list[str]:
    """The edits of a set, in its order."""
    return list(dict.fromkeys(variant.split(SEPARATOR)[0] for variant in variants))
