"""Parts of a pretrained pipeline in Stable Diffusion 1.5's layout, from a local folder or the hub."""

from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from segguided.models.foreign import read_json
from segguided.models.hub import fetch
from segguided.models.stated_scheduler import STATED

Part = TypeVar("Part", bound=nn.Module)
CHOICES = "set init.source to a local folder with the pipeline, or init to {kind: scratch, …}"


def part_folder(source: str, part: str) -> Path:
    """The folder `part` of the pipeline, downloaded if `source` is no local folder.

    Raises ValueError with the choices if it can neither be found nor downloaded.
    """
    folder = _pipeline_folder(source, part) / part
    if not folder.is_dir():
        raise ValueError(f"the pretrained pipeline {source} has no folder {part}/; {CHOICES}")
    return folder


def _pipeline_folder(source: str, part: str) -> Path:
    """`source` if it is a local folder, else where its files of `part` were downloaded to."""
    return Path(source if Path(source).is_dir() else _download(source, part))


def _download(source: str, part: str) -> str:
    wanted = [f"{part}/{name}" for name in ("*.json", "*.txt", "model.safetensors", "diffusion_pytorch*")]
    try:
        return fetch(source, wanted, ["*.bin", "*fp16*", "*non_ema*"])
    except OSError as error:
        raise ValueError(
            f"the pretrained pipeline '{source}' is no local folder and its {part}/ could not be fetched "
            f"from the Hugging Face hub ({error.strerror or error}); {CHOICES}"
        ) from error


def scheduler_file(source: str) -> Path:
    """Where the pipeline says which scheduler its UNet was trained with; the file may not exist."""
    return _pipeline_folder(source, "scheduler") / "scheduler" / STATED


def load_part(source: str, part: str, network: type[Part]) -> Part:
    """diffusers' `network` with the weights of the pipeline's `part`, in fp32 and training mode."""
    folder = part_folder(source, part)
    read_json(folder / "config.json")  # diffusers would say of a damaged one that the hub cannot be reached
    loader: Any = network
    try:
        # Only safetensors: reading another format would unpickle it.
        return loader.from_pretrained(folder, use_safetensors=True, low_cpu_mem_usage=False).float().train()
    # Whatever its constructor raises, for example for a number where it expects a list.
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{folder} does not hold a {network.__name__} ({reason}); {CHOICES}") from error
