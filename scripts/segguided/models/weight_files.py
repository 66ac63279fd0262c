"""Which files of a folder are its weights: one file, or the shards of one, as diffusers writes large ones."""

import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from segguided.models.foreign import read_json, read_tensors

USUAL = "diffusion_pytorch_model"
ENDINGS = (".safetensors", ".bin")  # the first that is found
OTHER_ENDINGS = (".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".onnx")
SHARD = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<ending>\.\w+)", re.IGNORECASE)
INDEX = ".index.json"


@dataclass(frozen=True)
class Weights:
    """One network's weights, in a file or in shards."""

    name: str  # without ending and number
    files: tuple[Path, ...]


def read_weights(weights: Weights) -> dict[str, Tensor]:
    """The tensors of all files by name. Raises ValueError where one is damaged or a name comes twice."""
    tensors: dict[str, Tensor] = {}
    for path in weights.files:
        found = read_tensors(path)
        twice = sorted(tensors.keys() & found.keys())
        if twice:
            raise ValueError(
                f"{path} holds {twice[0]}, which another shard of {weights.name} holds too; get the shards "
                "again, all of one checkpoint"
            )
        tensors |= found
    return tensors


def find_weights(root: Path) -> Weights:
    """The weights in the folder `root`: safetensors where there are any, else .bin.

    Raises ValueError where there are none, several that are not told apart by the usual name, or a checkpoint
    whose shards are not all there.
    """
    names = sorted(
        path
        for path in root.iterdir()
        if path.is_file() and not path.name.startswith(".")  # ._x: of macOS
    )
    for ending in ENDINGS:
        found = _indexed(root, names, ending)
        told = {file for weights in found for file in weights.files}
        found += _candidates(
            root, [path for path in names if path.suffix.lower() == ending and path not in told]
        )
        if len(found) > 1:
            found = _usual(root, found, ending)
        if found:
            return found[0]
    other = [path.name for path in names if path.suffix.lower() in OTHER_ENDINGS]
    lies = (
        f"; {other[0]} lies there: where it is a state dict of torch, let its name end in .bin"
        if other
        else ""
    )
    raise ValueError(f"{root}: expected the weights as {USUAL}.safetensors, found none; add them{lies}")


def _usual(root: Path, found: list[Weights], ending: str) -> list[Weights]:
    usual = [weights for weights in found if weights.name == USUAL]
    if len(usual) != 1:
        listed = ", ".join(weights.files[0].name for weights in found)
        raise ValueError(
            f"{root}: expected one file of weights, or the shards of one, got {listed}; call the wanted one "
            f"{USUAL}{ending}, or take the others away"
        )
    return usual


def _candidates(root: Path, paths: list[Path]) -> list[Weights]:
    """Single files, and files of shards, each of which must be whole."""
    single = [Weights(path.stem, (path,)) for path in paths if not SHARD.fullmatch(path.name)]
    shards: dict[tuple[str, int], dict[int, Path]] = {}
    for path in paths:
        if match := SHARD.fullmatch(path.name):
            key = match["name"], int(match["count"])
            shards.setdefault(key, {})[int(match["number"])] = path
    for (_, count), numbered in shards.items():
        first = next(iter(numbered.values()))
        lacking = [number for number in range(1, count + 1) if number not in numbered]
        if lacking:
            raise ValueError(
                f"{first} is one of {count} shards of a checkpoint, but in {root} there is no shard "
                f"{', '.join(map(str, lacking[:5]))}; put all of them there, or save the network with "
                'save_pretrained(…, max_shard_size="100GB"), which writes one file'
            )
    return single + [
        Weights(name, tuple(numbered[number] for number in sorted(numbered)))
        for (name, _), numbered in shards.items()
    ]


def _indexed(root: Path, names: list[Path], ending: str) -> list[Weights]:
    """Shards that an index alone tells of, whatever their names. ValueError where one is not there."""
    found = []
    for index in names:
        if not index.name.lower().endswith(ending + INDEX):
            continue
        listed = read_json(index).get("weight_map")
        if not isinstance(listed, dict) or not listed:
            raise ValueError(f"{index}: expected weight_map, the shard of each tensor; get it again")
        shards = sorted({str(shard) for shard in listed.values()})
        outside = [shard for shard in shards if Path(shard).name != shard]
        if outside:
            raise ValueError(f"{index} names {outside[0]}, expected names of files beside it; get it again")
        lacking = [shard for shard in shards if not (root / shard).is_file()]
        if lacking:
            raise ValueError(
                f"{index} names {len(shards)} shards, but {', '.join(lacking[:5])} is not there; put all of "
                "them beside it"
            )
        name = index.name[: -len(ending + INDEX)]
        found.append(Weights(name, tuple(root / shard for shard in shards)))
    return found
