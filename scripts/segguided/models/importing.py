"""A UNet2DModel from a plain diffusers folder, such as the checkpoints that the paper's authors publish."""

from pathlib import Path

import torch
from diffusers import UNet2DModel

from segguided.config.models.imported import ImportedModel
from segguided.models.denoiser import build_unet
from segguided.models.foreign import read_json
from segguided.models.masks import MaskEncoder
from segguided.models.stated_scheduler import STATED, check_stated
from segguided.models.weight_files import USUAL, find_weights, read_weights

UNET = Path("unet", "config.json")
SCHEDULER = Path("scheduler", STATED)
WEIGHTS = Path("unet", f"{USUAL}.safetensors")
# Names in the attention layers of diffusers before 0.15, and what they are called since.
RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def read_unet(model: ImportedModel, n_classes: int, image_size: int, channels: int = 1) -> UNet2DModel:
    """The UNet of a diffusers folder with its weights, in float32, for images of so many `channels`.

    Raises ValueError if the folder, its configuration or its weights are missing or damaged, or if they do
    not fit the model's conditioning, its schedule or the dataset's image size.
    """
    folder = Path(model.folder)
    root = folder / UNET.parent if (folder / UNET.parent).is_dir() else folder
    if not root.is_dir():
        raise ValueError(
            f"{folder}: expected a folder with {UNET} and its weights, but there is none; correct `folder`"
        )
    inputs = channels + MaskEncoder(model.conditioning, n_classes).channels
    # Built without memory first: the description may ask for any size.
    with torch.device("meta"):
        described_unet = _build(root / UNET.name, model, inputs, image_size, channels)
    _check_fit(described_unet, root, model.conditioning, inputs, image_size, channels)
    for path in _scheduler_files(root):
        check_stated(path, model, "the model's settings", model.clip_sample_range)
    weights = find_weights(root)
    tensors = {_renamed(name): tensor for name, tensor in read_weights(weights).items()}
    try:
        described_unet.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{weights.files[0]} does not fit the UNet that {root / UNET.name} describes: {reason}"
        ) from error
    unet = _build(root / UNET.name, model, inputs, image_size, channels)
    unet.load_state_dict(tensors)
    unet.register_to_config(sample_size=image_size)
    return unet


def _build(path: Path, model: ImportedModel, inputs: int, image_size: int, channels: int = 1) -> UNet2DModel:
    """The UNet that `path` describes, or the model's settings if there is no such file; random weights."""
    if not path.is_file():
        if model.unet is None:
            raise ValueError(
                f"{path}: expected the UNet's diffusers configuration, but there is none; add it, or "
                "describe the architecture in the model's settings as `unet`"
            )
        return build_unet(model.unet, inputs, image_size, channels)
    config = read_json(path)
    name = config.get("_class_name", UNet2DModel.__name__)
    if name != UNet2DModel.__name__:
        raise ValueError(f"{path} describes a {name}, expected a {UNet2DModel.__name__}")
    try:
        return UNet2DModel.from_config(config)
    # Whatever its constructor raises, for example for a number where it expects a list.
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} describes no UNet that diffusers can build: {reason}; get it again, or fix it"
        ) from error


def _check_fit(
    unet: UNet2DModel, root: Path, conditioning: str, inputs: int, image_size: int, channels: int
) -> None:
    """Raise ValueError if the UNet does not fit the conditioning, or the channels or size of the images."""
    config = unet.config
    if channels > 1 and (config.in_channels, config.out_channels) != (inputs, channels):
        raise ValueError(
            f"{root}: the UNet takes {config.in_channels} channels and gives {config.out_channels}, but "
            f"images of {channels} channels with conditioning: {conditioning} need {inputs} and {channels}; "
            "import another model, or correct the list of the dataset's `channels`"
        )
    if (config.in_channels, config.out_channels) != (inputs, channels):
        raise ValueError(
            f"{root}: the UNet takes {config.in_channels} channels and gives {config.out_channels}, "
            f"but conditioning: {conditioning} "
            f"needs {inputs} and 1 (a grey image{', its mask' if inputs > 1 else ''}); change "
            "conditioning (index255 takes 2, none 1), or import another model"
        )
    if config.class_embed_type or config.num_class_embeds:
        raise ValueError(
            f"{root}: the UNet wants class labels, which nothing here gives; import another model"
        )
    sizes = {config.sample_size} if isinstance(config.sample_size, int) else set(config.sample_size or ())
    if sizes - {image_size}:
        raise ValueError(
            f"{root}: the UNet was made for images of {config.sample_size} pixels, but the dataset's "
            f"image_size is {image_size}; change image_size"
        )
    halvings = len(config.block_out_channels) - 1
    if image_size % (1 << halvings):
        raise ValueError(
            f"{root}: the UNet halves images {halvings} times, but the dataset's image_size is "
            f"{image_size}; choose a multiple of {1 << halvings}"
        )


def _scheduler_files(root: Path) -> list[Path]:
    """The scheduler files beside unet/ or in the folder itself; if there are none, the usual place."""
    usual = root.parent / SCHEDULER
    existing = [path for path in (usual, root / SCHEDULER, root / STATED) if path.is_file()]
    return existing or [usual]


def _renamed(name: str) -> str:
    """The name of a tensor in today's diffusers."""
    parts = name.split(".")
    if "attentions" in parts[:-2]:
        parts[-2] = RENAMED.get(parts[-2], parts[-2])
    return ".".join(parts)
