"""Which patient trains, is held out or tests: at random, but so that each split shows each class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segguided.app.start.reading import Patient
from segguided.config.datasets import RandomSplit
from segguided.data.splits import SPLITS, assign_splits, check_halves, half_of_slice
from segguided.planning.enough import COMPARED, SHOWN

LEAST = 3  # patients: one for each split
TEST_SLICES = 160  # about as many are generated from for the tables; more take longer, not minutes
SEEDS = 500  # random splits that are tried
SHARE = 5  # one patient of so many is held out, and one tests, as in the paper
FEWEST_OF_ONE = 12  # slices that are kept of an only test patient


@dataclass(frozen=True)
class Split:
    """The split of each patient, every n-th slice that is kept, and what is to be said about it."""

    of_patient: Mapping[str, str]
    every: int
    remarks: tuple[str, ...]


def choose_split(patients: Sequence[Patient]) -> Split:
    """The split that the folders' names state, else a random one. Raises ValueError where there is none."""
    if len(patients) < LEAST:
        raise ValueError(_too_few(len(patients)))
    stated = {patient.name: patient.candidate.split for patient in patients}
    every = _every(patients)
    if set(stated.values()) == set(SPLITS) and _is_enough(patients, stated, every):
        return Split(
            stated, every, (*_missing_classes(patients, stated), "the folders' names state the splits")
        )
    split = _random_split(patients, every)
    return Split(split, every, tuple(_missing_classes(patients, split)))


def _too_few(count: int) -> str:
    have = {0: "no patient", 1: "one patient"}.get(count, f"{count} patients")
    return (
        f"expected at least {LEAST} patients that can be used, got {have}: one trains, one is held out for "
        "the segmenters that measure, one tests, so nothing was written; add patients, or generate images "
        "for masks like these with a model that is trained already (workflow/docs/generate.md)"
    )


def kept_numbers(patient: Patient, every: int) -> list[int]:
    """The numbers of the slices that slicing keeps, as their names will have them."""
    kept = list(patient.numbers[::every])
    return kept if patient.is_numbered else list(range(len(kept)))


def _every(patients: Sequence[Patient]) -> int:
    """Keep each n-th slice, so that a first run takes minutes."""
    slices = sum(len(patient.numbers) for patient in patients)
    expected = slices * max(1, len(patients) // SHARE) / len(patients)
    every = max(1, round(expected / TEST_SLICES))
    if len(patients) == LEAST:
        fewest = min(len(patient.numbers) for patient in patients)
        return max(1, min(every, fewest // FEWEST_OF_ONE))
    return every


def _random_split(patients: Sequence[Patient], every: int) -> dict[str, str]:
    """The first split, by seed, with enough slices that shows the most classes everywhere."""
    labels = set().union(*(patient.labels for patient in patients))
    rows = [{"patient": patient.name} for patient in patients]
    for held_out, test in _counts(len(patients)):
        best: dict[str, str] = {}
        most = -1
        for seed in range(SEEDS):
            counts = RandomSplit(seed=seed, held_out=held_out, test=test)
            split = {name: part for part, names in assign_splits(rows, counts).items() for name in names}
            if not _is_enough(patients, split, every):
                continue
            shown = sum(len(found) for found in _labels_of_splits(patients, split).values())
            if shown > most:
                best, most = split, shown
            if most == len(SPLITS) * len(labels):
                break
        if best:
            return best
    raise ValueError(_no_split(patients))


def _counts(patients: int) -> Iterator[tuple[int, int]]:
    """Numbers of held-out and test patients, the wanted ones first, then more of them."""
    held_out = max(1, patients // SHARE)
    test = max(1 if patients == LEAST else 2, patients // SHARE)
    for more in range(patients):
        for test_more in range(more + 1):
            counts = held_out + more - test_more, test + test_more
            if sum(counts) < patients:
                yield counts


def _no_split(patients: Sequence[Patient]) -> str:
    slices = sum(len(patient.numbers) for patient in patients)
    if len(patients) == LEAST:
        most = max(len(patient.numbers) for patient in patients)
        return (
            f"with {LEAST} patients the one that tests needs about {FEWEST_OF_ONE} slices with a label, in "
            f"two halves with a gap, but the most that a patient here has is {most}, so nothing was written; "
            "add a fourth patient"
        )
    return (
        f"expected {COMPARED} held-out and {SHOWN} test slices with a label beside those that train, but the "
        f"{len(patients)} patients have {slices} in all, so nothing was written; add patients or slices"
    )


def _is_enough(patients: Sequence[Patient], split: Mapping[str, str], every: int) -> bool:
    """Whether tables and figures can be made of the split's slices."""
    numbers: dict[str, list[list[int]]] = {name: [] for name in SPLITS}
    for patient in patients:
        numbers[split[patient.name]].append(kept_numbers(patient, every))
    held_out, test = (sum(map(len, numbers[name])) for name in ("held-out", "test"))
    if not numbers["train"] or held_out < COMPARED or test < SHOWN:
        return False
    if len(numbers["test"]) > 1:
        return True
    try:
        check_halves("", [half_of_slice(number) for number in numbers["test"][0]])
    except ValueError:
        return False
    return True


def _labels_of_splits(patients: Sequence[Patient], split: Mapping[str, str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {name: set() for name in SPLITS}
    for patient in patients:
        found[split[patient.name]] |= patient.labels.keys()
    return found


def _missing_classes(patients: Sequence[Patient], split: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each split that lacks a label which others have."""
    found = _labels_of_splits(patients, split)
    labels = set().union(*found.values())
    effect = {"train": "the models cannot learn it", "held-out": "the segmenters cannot learn it"}
    for name in SPLITS:
        missing = sorted(labels - found[name])
        if missing:
            listed = ", ".join(map(str, missing))
            yield (
                f"no {name} patient has label {listed}, because too few patients have it: "
                f"{effect.get(name, 'nothing is measured of it')}"
            )
