"""How the classes of a dataset are told apart in its masks: by labels, by segments, or by their place."""

from collections.abc import Collection, Mapping, Sequence

DRAWN = ("body", "lungs", "bone")  # by demo-ct, as values 1, 2 and 3
BY_PLACE = "png"  # the source of which classes without any label count from 1 in their order
LARGEST_GREY = 255

Labels = Mapping[str, int | None]  # by class


def check_labels(kind: str, labels: Labels, ignored: Collection[int]) -> None:
    """Raise ValueError unless each class has a value of its own in the masks."""
    lacking = [name for name, label in labels.items() if label is None]
    if kind == BY_PLACE and len(lacking) == len(labels):
        values = list(range(1, len(labels) + 1))
    elif lacking:
        either = ", or none: then the k-th class has the value k" if kind == BY_PLACE else ""
        raise ValueError(
            f"classes {', '.join(lacking)} of a {kind} dataset have no `label`, their value in the masks; "
            f"give every class its own{either}"
        )
    else:
        values = [label for label in labels.values() if label is not None]
    _check_values(kind, values, ignored)


def _check_values(kind: str, values: Sequence[int], ignored: Collection[int]) -> None:
    twice = twofold([str(value) for value in values])
    if twice:
        raise ValueError(f"label {twice} stands for two classes; give each class its own `label`")
    above = sorted(value for value in (*values, *ignored) if value > LARGEST_GREY)
    if kind == BY_PLACE and above:
        raise ValueError(
            f"a PNG mask holds values from 0 to {LARGEST_GREY}, got the label {above[0]}; correct it"
        )
    both = sorted(set(values) & set(ignored))
    if both:
        raise ValueError(f"source.ignore names {both}, which are labels of classes; remove them from either")


def check_segments(kind: str, labels: Labels, segments: Mapping[str, tuple[str | None, str | None]]) -> None:
    """Raise ValueError unless each class names a file, and a segment that is its own."""
    lacking = [name for name, (file, _) in segments.items() if not file]
    if lacking:
        raise ValueError(
            f"classes {', '.join(lacking)} of a {kind} dataset name no .seg.nrrd; "
            "give each class its `file` (and `segment`)"
        )
    twice = twofold([f"{segment or 'all'} of {file}" for file, segment in segments.values()])
    if twice:
        raise ValueError(f"{twice} stands for two classes; give each class its own `segment`")
    _check_unlabelled(kind, labels, "name a `segment` instead")


def check_drawn(kind: str, labels: Labels) -> None:
    """Raise ValueError unless the classes are those that demo-ct draws, which may have other names."""
    _check_unlabelled(kind, labels, "remove it: their order tells what they are")
    names = list(labels)
    if len(names) != len(DRAWN) or (set(names) == set(DRAWN) and names != list(DRAWN)):
        raise ValueError(
            f"a {kind} dataset has {len(DRAWN)} classes, {', '.join(DRAWN)} in this order, got "
            f"{', '.join(names)}; list these three"
        )


def _check_unlabelled(kind: str, labels: Labels, instead: str) -> None:
    labelled = [name for name, label in labels.items() if label is not None]
    if labelled:
        raise ValueError(
            f"classes {', '.join(labelled)} of a {kind} dataset have a `label`, which nothing reads there; "
            f"{instead}"
        )


def twofold(names: Sequence[str]) -> str:
    """The names that stand in a list more than once, joined by commas."""
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))
