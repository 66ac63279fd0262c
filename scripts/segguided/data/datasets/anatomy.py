"""Checks that labelled organs are where a body has them: this finds volumes that are mirrored.

Shape letters: Z, Y, X voxels in the LPS frame (towards the head, to the back, to the patient's left).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from segguided.data.formats.volume import Volume

LEAST_VOXELS = 50  # of an organ whose position is used; a sliver at the volume's edge says little


@dataclass(frozen=True)
class Profile:
    """One organ's voxels of each slice: their number, and the sums of their y and x indices."""

    count_Z: np.ndarray
    y_Z: np.ndarray
    x_Z: np.ndarray

    def __bool__(self) -> bool:
        """Whether there is enough of the organ to use its position."""
        return bool(self.count_Z.sum() >= LEAST_VOXELS)

    def beside(self, organ: "Profile") -> "Profile":
        """The part in those slices that also show `organ`."""
        shown_Z = organ.count_Z > 0
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
    statement: str
    side_by_side: bool = True  # compare only slices that show both


# The surest relation of an axis comes first. Bones and lungs are not compared: an abdominal CT shows only the
# bases of the lungs, which are further back than the ribs around them.
RELATIONS = (
    Relation("x", "bone", "liver", "the liver lies on the patient's right of the bones"),
    Relation("y", "bone", "liver", "the bones lie behind the liver"),
    Relation("z", "liver", "bladder", "the bladder lies below the liver", side_by_side=False),
    Relation("z", "lungs", "liver", "the liver lies below the lungs", side_by_side=False),
    Relation("z", "lungs", "kidneys", "the kidneys lie below the lungs", side_by_side=False),
)


def profiles(labels_ZYX: np.ndarray, organs: Mapping[str, int]) -> dict[str, Profile]:
    """The Profile of each organ; `organs` gives their labels. One slice at a time, which saves memory."""
    profile_of = {name: _empty_profile(len(labels_ZYX)) for name in organs}
    for z, labels_YX in enumerate(labels_ZYX):
        present = np.flatnonzero(np.bincount(labels_YX.ravel(), minlength=256))
        for name, label in organs.items():
            if label in present:
                y, x = np.nonzero(labels_YX == label)
                profile_of[name].count_Z[z] = len(y)
                profile_of[name].y_Z[z] = y.sum()
                profile_of[name].x_Z[z] = x.sum()
    return profile_of


def _empty_profile(slices: int) -> Profile:
    return Profile(count_Z=np.zeros(slices), y_Z=np.zeros(slices), x_Z=np.zeros(slices))


def confirm_orientation(labels: Volume, organs: Mapping[str, int], where: object) -> dict[str, float]:
    """For each axis the first relation that the labels can show: its statement, and the distance in mm.

    `organs` are the labels of liver, bladder, lungs, kidneys and bone. Raises ValueError, with the positions,
    where a relation does not hold; `where` names the file in the message.
    """
    profile_of = profiles(labels.array_zyx, organs)
    distances_mm: dict[str, float] = {}
    for relation in RELATIONS:
        if relation.axis in confirmed_axes(distances_mm):
            continue
        first = profile_of[relation.first]
        second = profile_of[relation.second]
        if relation.side_by_side:
            first, second = first.beside(second), second.beside(first)
        if first and second:
            distance_mm = _distance_mm(relation, first, second, labels.spacing_zyx_mm, where)
            distances_mm[relation.statement] = round(distance_mm, 1)
    return distances_mm


def _distance_mm(
    relation: Relation,
    first: Profile,
    second: Profile,
    spacing_zyx_mm: tuple[float, float, float],
    where: object,
) -> float:
    """How far apart the organs' centres are on the relation's axis. Raises ValueError where it is wrong."""
    first_mm = first.centre_mm(spacing_zyx_mm)
    second_mm = second.centre_mm(spacing_zyx_mm)
    distance_mm = first_mm[relation.axis] - second_mm[relation.axis]
    if distance_mm <= 0:
        raise ValueError(
            f"{where}: expected that {relation.statement}, but the centre of {relation.first} is at "
            f"{_position(first_mm)} and of {relation.second} at {_position(second_mm)}, from the right, "
            "front, lower corner; the header states a wrong orientation (or the organs are mirrored): fix it "
            "or drop the patient"
        )
    return distance_mm


def confirmed_axes(distances_mm: Mapping[str, float]) -> set[str]:
    """The axes whose direction the result of `confirm_orientation` confirms."""
    return {relation.axis for relation in RELATIONS if relation.statement in distances_mm}


def _position(centre_mm: Mapping[str, float]) -> str:
    return f"({centre_mm['x']:.0f} left, {centre_mm['y']:.0f} back, {centre_mm['z']:.0f} up) mm"
