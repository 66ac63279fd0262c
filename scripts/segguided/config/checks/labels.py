"""How a source finds the classes of a dataset in its masks: by labels, by segments, or by their order."""

from collections.abc import Collection, Sequence

from segguided.config.classes import AnatomyClass

FOUND_CLASSES = ("body", "lungs", "bone")  # what demo-ct finds in a CT, as the values 1, 2 and 3
BY_PLACE = "png"  # the source that counts classes from 1 in their order where none has a label
LARGEST_GREY = 255


def check_labels(kind: str, classes: Sequence[AnatomyClass], ignored: Collection[int]) -> None:
    """Raise ValueError unless each class has a value of its own in the masks."""
    unlabelled = [c.name for c in classes if c.label is None]
    if kind == BY_PLACE and len(unlabelled) == len(classes):
        values = list(range(1, len(classes) + 1))
    elif unlabelled:
        either = ", or none: then the k-th class has the value k" if kind == BY_PLACE else ""
        raise ValueError(
            f"classes {', '.join(unlabelled)} of a {kind} dataset have no `label`, their value in the masks; "
            f"give every class its own{either}"
        )
    else:
        values = [c.label for c in classes if c.label is not None]
    _check_values(kind, values, ignored)


def _check_values(kind: str, values: Sequence[int], ignored: Collection[int]) -> None:
    repeated = repeated_names([str(value) for value in values])
    if repeated:
        raise ValueError(f"label {repeated} belongs to two classes; give each class its own `label`")
    above = sorted(value for value in (*values, *ignored) if value > LARGEST_GREY)
    if kind == BY_PLACE and above:
        raise ValueError(
            f"a PNG mask holds values from 0 to {LARGEST_GREY}, got the label {above[0]}; correct it"
        )
    in_both = sorted(set(values) & set(ignored))
    if in_both:
        raise ValueError(
            f"source.ignore names {in_both}, which are labels of classes; remove them from one of the two"
        )


def check_segments(kind: str, classes: Sequence[AnatomyClass]) -> None:
    """Raise ValueError unless each class names a file, and a segment in it that no other class names."""
    without_file = [c.name for c in classes if not c.file]
    if without_file:
        raise ValueError(
            f"classes {', '.join(without_file)} of a {kind} dataset name no file of masks; "
            "give each class its `file` (and `segment`)"
        )
    repeated = repeated_names([f"{c.segment or 'all'} of {c.file}" for c in classes])
    if repeated:
        raise ValueError(f"{repeated} belongs to two classes; give each class its own `segment`")
    _check_unlabelled(kind, classes, "name a `segment` instead")


def check_found_classes(kind: str, classes: Sequence[AnatomyClass]) -> None:
    """Raise ValueError unless the classes are those that demo-ct finds; they may have other names."""
    _check_unlabelled(kind, classes, "remove it: their order says what they are")
    names = [c.name for c in classes]
    in_another_order = set(names) == set(FOUND_CLASSES) and names != list(FOUND_CLASSES)
    if len(names) != len(FOUND_CLASSES) or in_another_order:
        raise ValueError(
            f"a {kind} dataset has {len(FOUND_CLASSES)} classes, {', '.join(FOUND_CLASSES)} in this order, "
            f"got {', '.join(names)}; list these three"
        )


def _check_unlabelled(kind: str, classes: Sequence[AnatomyClass], instead: str) -> None:
    labelled = [c.name for c in classes if c.label is not None]
    if labelled:
        raise ValueError(
            f"classes {', '.join(labelled)} of a {kind} dataset have a `label`, which nothing reads there; "
            f"{instead}"
        )


def repeated_names(names: Sequence[str]) -> str:
    """The names that a list holds more than once, joined by commas; empty where there are none."""
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))


def check_titles(classes: Sequence[AnatomyClass]) -> None:
    """Raise ValueError where two classes have one title, or where one's title is the name of another."""
    titles = [c.title for c in classes if c.title]
    repeated = repeated_names(titles)
    if repeated:
        raise ValueError(f"two classes have the title '{repeated}'; give each class its own `title`")
    for titled in classes:
        if titled.title in [c.name for c in classes if c is not titled]:
            raise ValueError(
                f"the title of {titled.name} is '{titled.title}', the name of another class; choose another "
                "`title`"
            )
