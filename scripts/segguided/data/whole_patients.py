"""Slices of the patients whose masks are annotated for every class."""

import logging
from collections.abc import Collection
from typing import Protocol

from segguided.data.slices import SliceSet

LOG = logging.getLogger("segguided")


def fully_annotated(slices: SliceSet, purpose: str) -> SliceSet:
    """`slices` without the patients that lack the annotation of a class; a log line counts those left out.

    `purpose` says in a few words what needs whole masks. Raises ValueError where no patient is left.
    """
    whole = [stack for stack in slices.stacks if not stack.not_annotated]
    if not whole:
        raise ValueError(
            f"{purpose} needs patients that are annotated for every class, but all {len(slices.stacks)} lack "
            "one; add a fully annotated patient, or correct the patient table's column not_annotated"
        )
    lacking = len(slices.stacks) - len(whole)
    if not lacking:
        return slices
    LOG.info("%s: %d of %d patients left out, not fully annotated", purpose, lacking, len(slices.stacks))
    return SliceSet(whole)


class Trainable(Protocol):
    """What the choice of training patients asks of a model's settings."""

    @property
    def needs_full_annotation(self) -> bool:
        """Whether it trains on fully annotated patients alone, for it knows no free classes."""


def for_training(slices: SliceSet, model: Trainable) -> SliceSet:
    """Those of `slices` on which a model trains. Raises ValueError where no patient is left."""
    if not model.needs_full_annotation:
        return slices
    return fully_annotated(slices, "training without mask_ablation")


def left_out(slices: SliceSet, used: SliceSet) -> dict[str, list[str]]:
    """The entry `left_out` of a run's description, the patients of `slices` that are not `used`; or none."""
    used_patients = {stack.patient for stack in used.stacks}
    patients = [stack.patient for stack in slices.stacks if stack.patient not in used_patients]
    return {"left_out": patients} if patients else {}


def without(slices: SliceSet, patients: Collection[str]) -> SliceSet:
    """`slices` without those of some patients, as `left_out` names them."""
    kept = [stack for stack in slices.stacks if stack.patient not in patients]
    return SliceSet(kept) if len(kept) < len(slices.stacks) else slices
