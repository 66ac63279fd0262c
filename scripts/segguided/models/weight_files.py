"""Which files of a folder are its weights: one file or, as diffusers saves large networks, several shards."""

import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from segguided.models.foreign import read_json, read_tensors

USUAL = "diffusion_pytorch_model"
ENDINGS = (".safetensors", ".bin")  # the first has priority
OTHER_ENDINGS = (".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".onnx")
SHARD = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<ending>\.\w+)", re.IGNORECASE)
INDEX = ".index.json"


@dataclass(frozen=True)
class Weights:
    """One network's weights, in a file or in shards."""

    name: str  # without ending and shard number
    files: tuple[Path, ...]


def read_weights(weights: Weights) -> dict[str, Tensor]:
    """The tensors of all files by name. Raises ValueError if a file is damaged or a name appears twice."""
    tensors: dict[str, Tensor] = {}
    for path in weights.files:
        shard = read_tensors(path)
        repeated = sorted(tensors.keys() & shard.keys())
        if repeated:
            raise ValueError(
                f"{path} holds {repeated[0]}, which another shard of {weights.name} holds too; "
                "get the shards again, all of one checkpoint"
            )
        tensors |= shard
    return tensors


def find_weights(root: Path) -> Weights:
    """The weights in the folder `root`: safetensors if there are any, else .bin.

    Raises ValueError if there are none, if there are several and not exactly one has the usual name, or
    if a shard is missing.
    """
    files = sorted(path for path in root.iterdir() if path.is_file() and not _is_hidden(path))
    for ending in ENDINGS:
        candidates = _indexed(root, files, ending)
        listed = {file for weights in candidates for file in weights.files}
        unlisted = [path for path in files if path.suffix.lower() == ending and path not in listed]
        candidates += _by_name(root, unlisted)
        if len(candidates) > 1:
            return _usual(root, candidates, ending)
        if candidates:
            return candidates[0]
    unread = [path.name for path in files if path.suffix.lower() in OTHER_ENDINGS]
    hint = f"; if {unread[0]} is a state dict of torch, let its name end in .bin" if unread else ""
    raise ValueError(f"{root}: expected the weights as {USUAL}.safetensors, found none; add them{hint}")


def _is_hidden(path: Path) -> bool:
    """Whether a name begins with a dot, as the files that macOS adds (._name)."""
    return path.name.startswith(".")


def _usual(root: Path, candidates: list[Weights], ending: str) -> Weights:
    """The one candidate with the usual name."""
    usual = [weights for weights in candidates if weights.name == USUAL]
    if len(usual) != 1:
        names = ", ".join(weights.files[0].name for weights in candidates)
        raise ValueError(
            f"{root}: expected one file of weights, or the shards of one, got {names}; call the wanted one "
            f"{USUAL}{ending}, or take the others away"
        )
    return usual[0]


def _by_name(root: Path, paths: list[Path]) -> list[Weights]:
    """Single files, and shards by the numbers in their names. Raises ValueError if a shard is missing."""
    single = [Weights(path.stem, (path,)) for path in paths if not SHARD.fullmatch(path.name)]
    shards: dict[tuple[str, int], dict[int, Path]] = {}
    for path in paths:
        if match := SHARD.fullmatch(path.name):
            key = match["name"], int(match["count"])
            shards.setdefault(key, {})[int(match["number"])] = path
    for (_, count), numbered in shards.items():
        first = next(iter(numbered.values()))
        missing = [number for number in range(1, count + 1) if number not in numbered]
        if missing:
            raise ValueError(
                f"{first} is one of {count} shards of a checkpoint, but in {root} there is no shard "
                f"{', '.join(map(str, missing[:5]))}; put all of them there, or save the network with "
                'save_pretrained(…, max_shard_size="100GB"), which writes one file'
            )
    return single + [
        Weights(name, tuple(numbered[number] for number in sorted(numbered)))
        for (name, _), numbered in shards.items()
    ]


def _indexed(root: Path, files: list[Path], ending: str) -> list[Weights]:
    """Shards that an index lists, whatever their names. Raises ValueError if one is missing."""
    indexed = []
    for index in files:
        if not index.name.lower().endswith(ending + INDEX):
            continue
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise ValueError(f"{index}: expected weight_map, the shard of each tensor; get it again")
        shards = sorted({str(shard) for shard in weight_map.values()})
        outside = [shard for shard in shards if Path(shard).name != shard]
        if outside:
            raise ValueError(f"{index} names {outside[0]}, expected names of files beside it; get it again")
        missing = [shard for shard in shards if not (root / shard).is_file()]
        if missing:
            raise ValueError(
                f"{index} names {len(shards)} shards, but {', '.join(missing[:5])} is not there; put all of "
                "them beside it"
            )
        name = index.name[: -len(ending + INDEX)]
        indexed.append(Weights(name, tuple(root / shard for shard in shards)))
    return indexed
