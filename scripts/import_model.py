"""Import a diffusers UNet2DModel, such as the checkpoints of the paper's authors, instead of training one."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.imported import ImportedModel
from segguided.files import write_table
from segguided.models.denoiser import ImportedDenoiser
from segguided.models.foreign import unet_config
from segguided.models.importing import read_unet
from segguided.models.signals import channels_entry
from segguided.training.storage import save_network


def import_model(
    model: ImportedModel, n_classes: int, image_size: int, seed: int, output: Path, channels: int = 1
) -> None:
    """Write model.safetensors to `output`, with config.json and an empty history.csv beside it."""
    unet = read_unet(model, n_classes, image_size, channels)
    description = {
        "kind": model.kind,
        "model": model.model_dump(),
        "unet": unet_config(unet),
        "n_classes": n_classes,
        "image_size": image_size,
        **channels_entry(channels),
        "seed": seed,
    }
    save_network(ImportedDenoiser(unet, model.conditioning, n_classes), output, description)
    write_table(output.with_name("history.csv"), [])


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=ImportedModel.from_json, required=True, help="model settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    parser.add_argument(
        "--image-size", type=int, required=True, help="side of the dataset's images in pixels"
    )
    parser.add_argument("--channels", type=int, default=1, help="channels of the dataset's images")
    parser.add_argument("--seed", type=int, required=True, help="of the images that will be generated")
    parser.add_argument("--output", type=Path, required=True, help="model.safetensors to write")
    return parser


if __name__ == "__main__":
    run(import_model, command_line())
