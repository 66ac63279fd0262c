"""Shards of a generated set: whole batches of it, so that each image is drawn in the company it has without.

Shape letters: S slices, H height, W width.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segguided.data.slices import read_generated
from segguided.seals import archive_facts


@dataclass(frozen=True)
class Shard:
    """One of `count` consecutive parts of a set, by its number from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that Snakemake's scatter calls "2-of-8"; the type of an argument."""
        match = re.fullmatch(r"(\d+)-of-(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise argparse.ArgumentTypeError(f"expected a shard such as 2-of-8, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def rows(self, size: int, batch_size: int) -> range:
        """Its rows of a set of `size`: none where there are fewer batches than shards."""
        batches = -(-size // batch_size)
        first, end = (batches * number // self.count for number in (self.number - 1, self.number))
        return range(min(first * batch_size, size), min(end * batch_size, size))


WHOLE = Shard(1, 1)
AGAIN = "delete the shards and generate them again from the present slices"


def gathered(shards: Sequence[Path], names: Sequence[str]) -> tuple[np.ndarray, dict[str, str]]:
    """The images (S, H, W), uint8, of the masks `names`, from the files of all shards in order; their facts.

    Raises ValueError unless the shards hold exactly these, in this order, of the same weights and slices.
    """
    parts, done, facts = [], 0, _facts(shards[0])
    for path in shards:
        images_SHW, found = read_generated(path)
        if _facts(path) != facts:
            raise ValueError(f"{path} was drawn with other weights or slices than {shards[0]}; {AGAIN}")
        if found != list(names[done : done + len(found)]):
            raise ValueError(
                f"{path}: its {len(found)} images, from {found[0]} on, are not those that follow the first "
                f"{done} of {len(names)}; {AGAIN}"
            )
        parts.append(images_SHW)
        done += len(found)
    if done < len(names):
        raise ValueError(f"{shards[-1]}: ends after {done} of {len(names)} images; {AGAIN}")
    return np.concatenate(parts), facts


def _facts(path: Path) -> dict[str, str]:
    """What a shard tells that is true of the whole set."""
    return {name: value for name, value in archive_facts(path).items() if name != "place"}
