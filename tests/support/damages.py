"""What may happen to a kept file: damage, or another valid file in its place; undone afterwards."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from segguided.data.formats.npz import map_npz, write_npz
from segguided.data.slices import Stack, read_stack, write_stack
from segguided.seals import archive_facts, read_sealed, sidecar, write_listed, write_sealed

RESULTS = Path("results")
Change = Callable[[Path], None]  # puts something else in a file's place


def companions(path: Path) -> list[Path]:
    """The files that belong to `path` and would come with it."""
    together = {path, sidecar(path)}
    if path.name in ("model.safetensors", "config.json"):
        together |= {path.with_name("model.safetensors"), path.with_name("config.json")}
    return sorted(together)


def copied(name: str, *, alone: bool = False) -> Change:
    """Another file of the run (a pattern) in its place, with what belongs to it unless `alone`."""

    def change(path: Path) -> None:
        source = RESULTS / first_of(name)
        pairs = [(source, path)] if alone else zip(companions(source), companions(path), strict=True)
        for file, target in pairs:
            if file.is_file():
                shutil.copy(file, target)

    return change


def of_seed_1(write: Callable[[Path, Path], None]) -> Change:
    """The same file as another seed's run would have written it; `write` gets the source and the target."""

    def change(path: Path) -> None:
        written = Path(str(path).replace("seed0", "seed1"))
        write(path, written)
        for file, target in zip(companions(written), companions(path), strict=True):
            if file.is_file():
                file.replace(target)

    return change


def set_again(path: Path, target: Path, **facts: str) -> None:
    """Write a set again, with other facts or to another place."""
    own_facts = {name: value for name, value in archive_facts(path).items() if name != "place"}
    arrays = {name: np.array(array) for name, array in map_npz(path).items()}
    write_npz(target, {**own_facts, **facts}, **arrays)


def network_again(path: Path, target: Path, **entries: str) -> None:
    """Write a config.json again, with other entries or to another place, its weights beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent != path.parent:
        shutil.copy(path.with_name("model.safetensors"), target.with_name("model.safetensors"))
    description = read_sealed(path.with_name("config.json"))
    write_sealed(target.with_name("config.json"), {**description, **entries})


def set_of_other_classes(path: Path) -> None:
    set_again(path, path, preparation="another")


def set_of_other_weights(path: Path) -> None:
    set_again(path, path, weights="0" * 64)


def network_of_other_classes(path: Path) -> None:
    network_again(path, path, preparation="another")


def slices_of_other_classes(path: Path) -> None:
    """The patient prepared with classes 1 and 2 exchanged."""
    stack = read_stack(path)
    masks = np.array([0, 2, 1, 3], np.uint8)[stack.masks_SHW]
    provenance = {**stack.provenance, "preparation": "another"}
    write_stack(path, Stack(stack.patient, stack.images_SHW, masks, stack.positions_S, provenance))


def record_again(path: Path, target: Path) -> None:
    write_sealed(target, read_sealed(path))


def listed_elsewhere(name: str) -> Change:
    """The same text, as it was written for another place."""

    def change(path: Path) -> None:
        written = RESULTS / name
        write_listed(written, path.read_text())
        for file, target in zip(companions(written), companions(path), strict=True):
            file.replace(target)

    return change


def first_of(pattern: str) -> str:
    return sorted(path.relative_to(RESULTS).as_posix() for path in RESULTS.glob(pattern))[0]


def damages(path: Path, seed: int = 0, bytes_changed: int = 12) -> Iterator[tuple[str, Change]]:
    """Truncated, a changed byte, empty: what may happen to a file, each with a name."""
    size = path.stat().st_size
    chance = random.Random(f"{path.name}/{seed}")
    for kept in (size // 2, size - 1):
        yield f"truncated to {kept}", lambda file, kept=kept: _write(file, file.read_bytes()[:kept])
    for place in (0, size - 1, *(chance.randrange(size) for _ in range(bytes_changed))):
        bit = 1 << chance.randrange(8)
        yield f"byte {place} ^ {bit}", lambda file, place=place, bit=bit: _flip(file, place, bit)
    yield "empty", lambda file: _write(file, b"")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(content)


@contextmanager
def changed(path: Path, change: Change) -> Iterator[None]:
    """With `change` made to `path`; afterwards it and what belongs to it are as before."""
    before = {file: file.read_bytes() for file in companions(path) if file.is_file()}
    try:
        change(path)
        yield
    finally:
        for file in companions(path):
            file.unlink(missing_ok=True)
        for file, content in before.items():
            file.write_bytes(content)


def outcome(path: Path, read: Callable[[Path], object]) -> str:
    """The sentence that reading ends with; empty where it ends with none. Other errors are defects."""
    try:
        read(path)
    except (ValueError, OSError) as error:
        return str(error)
    return ""
