"""Shards of a generated set: whole batches of it, so that each image is in the same batch as without shards.

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
        """The shard's rows of a set of `size` images; empty for a shard that gets no batch."""
        batches = -(-size // batch_size)
        first_batch = batches * (self.number - 1) // self.count
        end_batch = batches * self.number // self.count
        return range(min(first_batch * batch_size, size), min(end_batch * batch_size, size))


WHOLE = Shard(1, 1)
AGAIN = "delete the shards and generate them again from the present slices"


def gather_shards(shards: Sequence[Path], names: Sequence[str]) -> tuple[np.ndarray, dict[str, str]]:
    """The images (S, H, W), uint8, of the masks `names`, and the facts that the seals of all shards share.

    `shards` are the files of all shards, in order. Raises ValueError unless they hold exactly these images,
    in this order, from the same weights and slices.
    """
    facts = _shared_facts(shards[0])
    parts: list[np.ndarray] = []
    n_images = 0
    for path in shards:
        if _shared_facts(path) != facts:
            raise ValueError(f"{path} was generated with other weights or slices than {shards[0]}; {AGAIN}")
        images_SHW = _images_of(path, names, n_images)
        parts.append(images_SHW)
        n_images += len(images_SHW)
    if n_images < len(names):
        raise ValueError(f"{shards[-1]}: ends after {n_images} of {len(names)} images; {AGAIN}")
    return np.concatenate(parts), facts


def _images_of(path: Path, names: Sequence[str], start: int) -> np.ndarray:
    """A shard's images. Raises ValueError unless their masks are those in `names` from `start` on."""
    images_SHW, shard_names = read_generated(path)
    if shard_names != list(names[start : start + len(shard_names)]):
        raise ValueError(
            f"{path}: its {len(shard_names)} images, from {shard_names[0]} on, are not those that follow the "
            f"first {start} of {len(names)}; {AGAIN}"
        )
    return images_SHW


def _shared_facts(path: Path) -> dict[str, str]:
    """The facts in a shard's seal that hold for the whole set."""
    return {name: value for name, value in archive_facts(path).items() if name != "place"}
