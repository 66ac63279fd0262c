"""Slices of the patients whose masks are annotated for every class."""

import logging

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
    left_out = len(slices.stacks) - len(whole)
    if not left_out:
        return slices
    LOG.info("%s: %d of %d patients left out, not fully annotated", purpose, left_out, len(slices.stacks))
    return SliceSet(whole)
