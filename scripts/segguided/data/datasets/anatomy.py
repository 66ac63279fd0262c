"""Whether labelled organs lie where a body has them, which finds volumes mirrored along any axes.

Shape letters: Z, Y, X voxels in the LPS frame (towards the head, to the back, to the patient's left).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from segguided.data.formats.volume import Volume

LEAST_VOXELS = 50  # of an organ whose place counts; a sliver at the volume's edge says little


@dataclass(frozen=True)
class Profile:
    """One organ's voxels of each slice: their number, and the sums of their y and x indices."""

    count_Z: np.ndarray
    y_Z: np.ndarray
    x_Z: np.ndarray

    def __bool__(self) -> bool:
        """Whether there is enough of the organ to have a place."""
        return bool(self.count_Z.sum() >= LEAST_VOXELS)

    def beside(self, other: "Profile") -> "Profile":
        """The part in those slices that show the other organ too."""
        shown_Z = other.count_Z > 0
        return Profile(self.count_Z * shown_Z, self.y_Z * shown_Z, self.x_Z * shown_Z)

    def centre_mm(self, spacing_zyx_mm: tuple[float, float, float]) -> dict[str, float]:
        """Centroid, in mm from the volume's lowest, front, right corner."""
        voxels = self.count_Z.sum()
        z = (self.count_Z * np.arange(len(self.count_Z))).sum()
        sums = {"z": z, "y": self.y_Z.sum(), "x": self.x_Z.sum()}
        return {axis: float(sums[axis] / voxels * mm) for axis, mm in zip("zyx", spacing_zyx_mm, strict=True)}


@dataclass(frozen=True)
class Relation:
    """`first` has the larger coordinate on `axis`: more to the left, the back or the head than `second`."""

    axis: str
    first: str
    second: str
    says: str
    side_by_side: bool = True  # only slices that show both count


# Of an axis' relations the surest first. None of bones and lungs: an abdominal CT shows only the bases of the
# lungs, which lie further back than the ribs around them.
RELATIONS = (
    Relation("x", "bone", "liver", "the liver lies on the patient's right of the bones"),
    Relation("y", "bone", "liver", "the bones lie behind the liver"),
    Relation("z", "liver", "bladder", "the bladder lies below the liver", side_by_side=False),
    Relation("z", "lungs", "liver", "the liver lies below the lungs", side_by_side=False),
    Relation("z", "lungs", "kidneys", "the kidneys lie below the lungs", side_by_side=False),
)


def profiles(labels_ZYX: np.ndarray, organs: Mapping[str, int]) -> dict[str, Profile]:
    """The Profile of each organ, `organs` giving its label; one slice at a time."""
    found = {name: Profile(*np.zeros((3, len(labels_ZYX)))) for name in organs}
    for z, labels_YX in enumerate(labels_ZYX):
        present = np.flatnonzero(np.bincount(labels_YX.ravel(), minlength=256))
        for name, label in organs.items():
            if label in present:
                y, x = np.nonzero(labels_YX == label)
                found[name].count_Z[z], found[name].y_Z[z], found[name].x_Z[z] = len(y), y.sum(), x.sum()
    return found


def confirm_orientation(labels: Volume, organs: Mapping[str, int], where: object) -> dict[str, float]:
    """For each axis the first relation that the labels can show, with the distance in mm by which it holds.

    `organs` are the labels of liver, bladder, lungs, kidneys and bone. Raises ValueError, with the places
    found, where it does not hold.
    """
    of = profiles(labels.array_zyx, organs)
    held: dict[str, float] = {}
    for relation in RELATIONS:
        if relation.axis in axes_confirmed(held):
            continue
        pair = of[relation.first], of[relation.second]
        if relation.side_by_side:
            pair = pair[0].beside(pair[1]), pair[1].beside(pair[0])
        if not all(pair):
            continue
        first, second = (one.centre_mm(labels.spacing_zyx_mm) for one in pair)
        apart_mm = first[relation.axis] - second[relation.axis]
        if apart_mm <= 0:
            raise ValueError(
                f"{where}: expected that {relation.says}, but the centre of {relation.first} is at "
                f"{_place(first)} and of {relation.second} at {_place(second)}, from the right, front, lower "
                "corner; the header states a wrong orientation (or the organs lie mirrored): mend it or drop "
                "the patient"
            )
        held[relation.says] = round(apart_mm, 1)
    return held


def axes_confirmed(held: Mapping[str, float]) -> set[str]:
    """The axes on which the labels have spoken."""
    return {relation.axis for relation in RELATIONS if relation.says in held}


def _place(centre_mm: Mapping[str, float]) -> str:
    return f"({centre_mm['x']:.0f} left, {centre_mm['y']:.0f} back, {centre_mm['z']:.0f} up) mm"
