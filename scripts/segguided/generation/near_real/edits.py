"""Edits of a mask: a class is removed, grown, shrunk, moved, or taken from another patient.

Shape letters: D donors' masks, H height, W width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, shift

from segguided.config.experiments import Edit
from segguided.generation.mask_validity import borders

FITTING = 0.5  # the least share of a moved or taken region that lies in its surroundings; the rest is cut off
LEAST_CHANGE = 0.001  # of all pixels; a smaller edit would be nothing to look at
DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))
MOVES = 2  # a moved class goes so many times as far as a class grows


@dataclass(frozen=True)
class Editor:
    """Edits of the class `value`, which lies in the value `surroundings`; `distance` is in pixels."""

    value: int
    surroundings: int
    distance: float
    donors_DHW: np.ndarray  # masks of other patients

    def edited(self, mask_HW: np.ndarray, edit: Edit) -> np.ndarray | None:
        """The edited mask, in which other classes stay but for what the class covers or leaves.

        What it leaves becomes its surroundings. None where the edit changes too little, or does not fit.
        """
        is_class_HW = mask_HW == self.value
        if not is_class_HW.any() or is_class_HW.all():
            return None
        new_HW = self._edits[edit](mask_HW, is_class_HW)
        if new_HW is None or (new_HW != mask_HW).mean() < LEAST_CHANGE:
            return None
        return new_HW

    @property
    def _edits(self) -> dict[Edit, Callable[[np.ndarray, np.ndarray], np.ndarray | None]]:
        return {
            "remove": lambda mask_HW, _: self._without(mask_HW),
            "grow": self._grown,
            "shrink": self._shrunk,
            "move": self._moved,
            "other": self._from_another,
        }

    def _grown(self, mask_HW: np.ndarray, is_class_HW: np.ndarray) -> np.ndarray:
        """It grows into its surroundings alone."""
        near_HW = distance_transform_edt(~is_class_HW) <= self.distance
        return self._with_class(mask_HW, near_HW & (mask_HW == self.surroundings))

    def _shrunk(self, mask_HW: np.ndarray, is_class_HW: np.ndarray) -> np.ndarray | None:
        kept_HW = distance_transform_edt(is_class_HW) > self.distance
        return self._with_class(self._without(mask_HW), kept_HW) if kept_HW.any() else None

    def _moved(self, mask_HW: np.ndarray, is_class_HW: np.ndarray) -> np.ndarray | None:
        """In the direction in which most of it stays inside its surroundings."""
        room_HW = self._without(mask_HW)
        moved = [self._shifted(is_class_HW, direction) for direction in DIRECTIONS]
        fitting = [(region_HW & (room_HW == self.surroundings)).sum() for region_HW in moved]
        return self._placed(room_HW, moved[int(np.argmax(fitting))], is_class_HW.sum())

    def _shifted(self, region_HW: np.ndarray, direction: tuple[int, int]) -> np.ndarray:
        length = MOVES * self.distance / np.hypot(*direction)
        offset = [round(length * step) for step in direction]
        moved_HW: np.ndarray = shift(region_HW.astype(np.uint8), offset, order=0) > 0
        return moved_HW

    def _from_another(self, mask_HW: np.ndarray, is_class_HW: np.ndarray) -> np.ndarray | None:
        """From the most similar mask whose class fits, and is at least half as large."""
        room_HW = self._without(mask_HW)
        least = FITTING * is_class_HW.sum()
        differences_D = (self.donors_DHW != mask_HW).sum(axis=(1, 2))
        for donor in np.argsort(differences_D, kind="stable"):
            region_HW = self.donors_DHW[donor] == self.value
            new_HW = self._placed(room_HW, region_HW, region_HW.sum())
            if new_HW is not None and (new_HW == self.value).sum() >= least:
                return new_HW
        return None

    def _placed(self, room_HW: np.ndarray, region_HW: np.ndarray, size: int) -> np.ndarray | None:
        """The mask with the class where the region lies in its surroundings; None if too little does."""
        fitting_HW = region_HW & (room_HW == self.surroundings)
        if not size or fitting_HW.sum() < FITTING * size:
            return None
        return self._with_class(room_HW, fitting_HW)

    def _without(self, mask_HW: np.ndarray) -> np.ndarray:
        return np.where(mask_HW == self.value, self.surroundings, mask_HW).astype(mask_HW.dtype)

    def _with_class(self, mask_HW: np.ndarray, region_HW: np.ndarray) -> np.ndarray:
        return np.where(region_HW, self.value, mask_HW).astype(mask_HW.dtype)


def surroundings_of(masks: Sequence[np.ndarray], value: int, n_classes: int) -> int:
    """The value that shares the longest border with the class in all masks (H, W): what it lies in."""
    return int(sum(borders(mask_HW, n_classes + 1)[value] for mask_HW in masks).argmax())
