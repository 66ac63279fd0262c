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
    """The folder `part` of the pipeline, downloaded where `source` is no local folder.

    Raises ValueError with the choices where it can neither be found nor downloaded.
    """
    folder = Path(source if Path(source).is_dir() else _download(source, part)) / part
    if not folder.is_dir():
        raise ValueError(f"the pretrained pipeline {source} has no folder {part}/; {CHOICES}")
    return folder


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
    """Where the pipeline states the scheduler its UNet was trained with; there may be no such file."""
    return Path(source if Path(source).is_dir() else _download(source, "scheduler")) / "scheduler" / STATED


def load_part(source: str, part: str, network: type[Part]) -> Part:
    """diffusers' `network` with the weights of the pipeline's `part`, in fp32 and training mode."""
    folder = part_folder(source, part)
    read_json(folder / "config.json")  # of a damaged one diffusers says that the hub cannot be reached
    loader: Any = network
    try:
        # safetensors only: other formats would have to be unpickled.
        return loader.from_pretrained(folder, use_safetensors=True, low_cpu_mem_usage=False).float().train()
    # What its constructor happens to trip over, such as a number in place of a list.
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{folder} does not hold a {network.__name__} ({reason}); {CHOICES}") from error
