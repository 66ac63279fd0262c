"""Classes that a patient was not annotated for, as the patient table says. Plain Python, for the workflow.

Such a class is unknown in that patient's masks: neither present nor absent.
"""

import re
from collections.abc import Mapping, Sequence

from segguided import text_tables
from segguided.data.splits import PatientRow, halve_test
from segguided.listing import composed

COLUMN = "not_annotated"  # of the patient table: names of classes, with commas or semicolons between them
NotAnnotated = Mapping[str, tuple[int, ...]]  # by patient, the mask values of such classes, ascending


def not_annotated(rows: Sequence[PatientRow], class_names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The classes that each patient was not annotated for, as values in its mask; none for most patients.

    Raises ValueError, with file and line, for a name that is no class, one that appears twice, and a patient
    without any annotated class.
    """
    return {row["patient"]: _values_in(row, class_names) for row in rows}


def check_annotated(
    dataset: str,
    splits: Mapping[str, Sequence[str]],
    missing: NotAnnotated,
    class_names: Sequence[str],
    halves_seed: int,
) -> None:
    """Raise ValueError where a class cannot be learnt, or nothing be measured that needs whole masks.

    Generators learn from the training patients, segmenters from those held out. Diversity is of whole masks
    of the measuring half of the test patients, whom `halves_seed` halves.
    """
    for split in ("train", "held-out"):
        for value, name in enumerate(class_names, 1):
            if all(value in missing[patient] for patient in splits[split]):
                raise ValueError(
                    f"datasets.{dataset}: expected each class annotated for a {split} patient, but {name} is "
                    f"in the patient table's column {COLUMN} for all {len(splits[split])} of them, so it "
                    "cannot be learnt; move a patient who has it there, or remove the class"
                )
    halves = halve_test(splits["test"], halves_seed)
    measured = [patient for patient, half in halves.items() if half != "validation"]
    if all(missing[patient] for patient in measured):
        raise ValueError(
            f"datasets.{dataset}: expected a fully annotated patient in the measuring half of the test "
            f"patients ({', '.join(measured)}), but the patient table's column {COLUMN} names classes for "
            "each; test on fully annotated patients too, or change evaluation.halves_seed"
        )


def check_whole(dataset: str, train: Sequence[str], missing: NotAnnotated, models: Sequence[str]) -> None:
    """Raise ValueError where `models`, which train on fully annotated patients alone, would have none."""
    if models and all(missing[patient] for patient in train):
        raise ValueError(
            f"datasets.{dataset}: {', '.join(models)} cannot tell what is not annotated from background and "
            f"so trains on fully annotated patients alone, but the column {COLUMN} names a class for each of "
            f"the {len(train)} training patients; remove it from grid.models, or set mask_ablation: sample"
        )


def check_perceptual(
    dataset: str, train: Sequence[str], missing: NotAnnotated, models: Sequence[str]
) -> None:
    """Raise ValueError where the perceptual networks of `models` would have no fully annotated patient."""
    if models and all(missing[patient] for patient in train):
        raise ValueError(
            f"datasets.{dataset}: the perceptual network of {', '.join(models)} trains on fully annotated "
            f"patients alone, but the column {COLUMN} names a class for each of the {len(train)} training "
            "patients; annotate one fully, or train without a perceptual loss"
        )


def check_translated(dataset: str, test: Sequence[str], missing: NotAnnotated) -> None:
    """Raise ValueError where masks that are translated may lack a class, which each start would see anew."""
    partial = [patient for patient in test if missing[patient]]
    if partial:
        raise ValueError(
            f"applications.translations: expected fully annotated test patients of {dataset}, but the "
            f"patient table's column {COLUMN} names classes for {', '.join(partial)}; test on others, or "
            "remove this translation"
        )


def check_held_out(dataset: str, held_out: Sequence[str], missing: NotAnnotated) -> None:
    """Raise ValueError unless a held-out patient is fully annotated: new masks are made of theirs."""
    if all(missing[patient] for patient in held_out):
        raise ValueError(
            f"datasets.{dataset}: rare cases and counterfactuals need a fully annotated held-out patient, "
            f"but the patient table's column {COLUMN} names classes for each of the {len(held_out)}; hold "
            "out another one"
        )


def _values_in(row: PatientRow, class_names: Sequence[str]) -> tuple[int, ...]:
    cells = re.split("[,;]", composed(row.get(COLUMN) or ""))
    names = [name.strip() for name in cells if name.strip()]
    place = f"{row.place}: " if isinstance(row, text_tables.TableRow) else ""
    begins = f"{place}the column {COLUMN} of patient {row['patient']}"
    unknown = [name for name in names if name not in class_names]
    if unknown:
        raise ValueError(
            f"{begins} names {', '.join(unknown)}, but the classes are {', '.join(class_names)}; correct it"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{begins} names a class twice ({', '.join(names)}); name each once")
    if len(names) == len(class_names):
        raise ValueError(
            f"{begins} names every class ({', '.join(names)}), so nothing of its mask could be used; drop "
            "the patient, or remove what is annotated"
        )
    return tuple(sorted(class_names.index(name) + 1 for name in names))
