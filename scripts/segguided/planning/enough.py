"""Whether the patients of each split have enough slices for the tables and figures, as far as one can know.

Before any file is read, the number of PNG slices in a folder is known, and that of a phantom. The number of
slices of a volume is not.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.config.datasets import Dataset
from segguided.config.sources.phantom import PhantomSource
from segguided.config.sources.png import PngSource
from segguided.data.splits import check_halves, half_of, half_of_slice, halve_test

COMPARED = 2  # images of each set that the distances of table 3 need
SHOWN = 5  # test slices that the figures need: four in figure 2, and a different one in figure 5
FEW = 10  # patients: more than that have enough slices in any case


def check_enough(
    name: str,
    dataset: Dataset,
    splits: Mapping[str, Sequence[str]],
    *,
    figure5: bool,
    halves_seed: int | None = None,
) -> None:
    """Raise ValueError, which names the dataset, if a split is known to have too few slices.

    `halves_seed`: of the test patients' halves, where table 3 is of the measuring half alone.
    """
    for split in ("held-out", "test"):
        numbers = _numbers(dataset, splits[split])
        total = sum(map(len, numbers))
        if numbers and total < COMPARED:
            raise ValueError(
                f"datasets.{name}: its {split} patients have {total} slices, but table 3 compares at least "
                f"{COMPARED} images; add patients to {split}, or keep more of their slices"
            )
        if numbers and split == "test":
            _check_test(name, numbers, total, figure5=figure5)
            if halves_seed is not None:
                _check_measuring_half(name, splits[split], numbers, halves_seed)


def _check_measuring_half(
    name: str, patients: Sequence[str], numbers: Sequence[Sequence[int]], seed: int
) -> None:
    halves = halve_test(patients, seed)
    measured = [
        number
        for patient, of_patient in zip(patients, numbers, strict=True)
        for number in of_patient
        if half_of(halves, patient, number) == "test"
    ]
    if len(measured) < COMPARED:
        raise ValueError(
            f"datasets.{name}: the measuring half of its test patients has {len(measured)} slices, but "
            f"table 3 compares at least {COMPARED} images; add test patients, keep more of their slices, or "
            "set evaluation.measuring_half_only to false"
        )


def _check_test(name: str, numbers: Sequence[Sequence[int]], total: int, *, figure5: bool) -> None:
    if len(numbers) == 1:
        halves = [half_of_slice(number) for number in numbers[0]]
        check_halves(f"datasets.{name}: its only test patient has", halves)
    if figure5 and total < SHOWN:
        raise ValueError(
            f"datasets.{name}: its test patients have {total} slices, but figures 2 and 5 show {SHOWN} "
            "different ones at the least; add test patients, or keep more of their slices"
        )


def _numbers(dataset: Dataset, patients: Sequence[str]) -> list[Sequence[int]]:
    """The slice numbers of each patient; empty if they are not known yet, or if there are many patients."""
    every = dataset.slices.every
    match dataset.source:
        case _ if len(patients) > FEW:
            return []
        case PhantomSource(slices=slices):
            return [range(len(range(0, slices, every))) for _ in patients]
        case PngSource(images=images) if Path(images).is_dir():
            return [numbers[::every] for numbers in _stored(Path(images), patients)]
    return []


def _stored(images: Path, patients: Sequence[str]) -> list[list[int]]:
    from segguided.data.formats.png import list_slices  # noqa: PLC0415 - it takes half a second; only PNG folders need it

    slices = list_slices(images)
    return [[file.number for file in slices if file.patient == patient] for patient in patients]
