"""The weights that a fine-tuning begins with, read from a run or a foreign folder and put into a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file
from torch import Tensor, nn

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.imported import ImportedModel
from segguided.config.models.init_from import InitFrom
from segguided.files import sha256_of
from segguided.models.fine_tuning.channels import (
    Inputs,
    channel_map,
    check_classes,
    image_inputs,
    mapped,
)
from segguided.models.fine_tuning.described_runs import channels_of_run, described_run, unet_of_run
from segguided.models.foreign import read_json, unet_config
from segguided.models.weight_files import find_weights
from segguided.training.storage import check_weights, read_description

if TYPE_CHECKING:
    from segguided.models.denoiser import MaskedDenoiser
    from segguided.models.spade import Generator

RUN_FILE = "run.json"
# A network's kind, and the last parts of the names of the weights that read its input channels.
READERS = {
    "unet": ("unet.conv_in.weight",),
    "decoder": ("decoder.first.weight", "decoder.readers."),
    "spade": ("first.weight", "mlp_shared.conv.weight"),
}


@dataclass(frozen=True)
class Beginning:
    """Trained weights, and what is known of the network that they are of."""

    origin: str  # the folder, as the user wrote it
    network: str  # a key of READERS
    inputs: Inputs
    tensors: Mapping[str, Tensor]
    predicts: str | None  # its prediction_type; None: an image, in one call
    record: Mapping[str, Any]  # for config.json
    unet: Mapping[str, Any] | None = None  # its diffusers configuration, where it is a UNet
    channels: int = 1  # of its images


def put_into(
    network: nn.Module,
    kind: str,
    inputs: Inputs,
    predicts: str | None,
    start: Beginning,
    channels: int = 1,
) -> dict[str, Any]:
    """Fill `network` with the weights of `start`, and return what config.json says of it.

    Raises ValueError where the architectures differ, or no class is known by its name.
    """
    if kind != start.network:
        raise ValueError(
            f"init_from: {start.origin} is a {start.network}, but this model is a {kind}; begin from a {kind}"
        )
    if channels != start.channels:
        raise ValueError(
            f"init_from: {start.origin} makes images of {start.channels} channels, but the dataset's have "
            f"{channels}; begin from a network of as many channels"
        )
    if predicts != start.predicts:
        raise ValueError(
            f"init_from: {start.origin} predicts {start.predicts}, but this model's prediction_type is "
            f"{predicts}; set prediction_type: {start.predicts}"
        )
    check_classes(start.origin, start.inputs, inputs)
    map_NO = channel_map(start.inputs, inputs)
    tensors = _mapped(start, map_NO)
    _check_architecture(network.state_dict(), tensors, start.origin)
    if start.unet:
        _check_unet(unet_config(network.unet), start.unet, start.origin)
    network.load_state_dict(tensors)
    known = set(start.inputs.channels)
    return {
        **start.record,
        "classes": list(inputs.classes),
        "classes_before": list(start.inputs.classes),
        "new_channels": [
            name for name, row_O in zip(inputs.channels, map_NO, strict=True) if not row_O.any()
        ],
        "left_channels": sorted(known - set(_used(start.inputs.channels, map_NO))),
    }


def _used(channels: Sequence[str], map_NO: Tensor) -> list[str]:
    return [name for name, column_N in zip(channels, map_NO.T, strict=True) if column_N.any()]


def _mapped(start: Beginning, map_NO: Tensor) -> dict[str, Tensor]:
    """The weights by name; those that read input channels, for the new ones."""
    old_channels = len(start.inputs.channels)
    tensors = dict(start.tensors)
    for name, tensor in start.tensors.items():
        if tensor.ndim == 4 and _reads_input(name, start.network):
            if tensor.shape[1] % old_channels:
                raise ValueError(
                    f"init_from: {start.origin}: {name} reads {tensor.shape[1]} channels, but its classes "
                    f"({', '.join(start.inputs.classes)}) make {old_channels}; correct `classes`"
                )
            tensors[name] = mapped(tensor, map_NO)
    return tensors


def _reads_input(name: str, network: str) -> bool:
    return any(name.startswith(reader) or name.endswith(f".{reader}") for reader in READERS[network])


def _check_architecture(expected: Mapping[str, Tensor], got: Mapping[str, Tensor], origin: str) -> None:
    """Raise ValueError for the first weight that only one of the two has, or that differs in shape."""
    differing = sorted(expected.keys() ^ got.keys()) or [
        name for name in expected if expected[name].shape != got[name].shape
    ]
    if not differing:
        return
    name = differing[0]
    here, there = (_shape(tensors.get(name)) for tensors in (expected, got))
    raise ValueError(
        f"init_from: {origin} holds a network of another architecture: {name} is {there} there and {here} "
        "here; give this model the settings of that network (channels, layers, attention, patch, losses)"
    )


def _check_unet(here: Mapping[str, Any], there: Mapping[str, Any], origin: str) -> None:
    """Raise ValueError for settings of a UNet that no shape of a weight shows, as groups of its norms."""
    compared = (here.keys() & there.keys()) - {"in_channels", "sample_size"}
    differing = sorted(name for name in compared if name[0] != "_" and here[name] != there[name])
    if differing:
        name = differing[0]
        raise ValueError(
            f"init_from: {origin} holds a network of another architecture: {name} is {there[name]} there and "
            f"{here[name]} here; give this model the settings of that network"
        )


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else "×".join(map(str, tensor.shape))


def read_beginning(
    init_from: InitFrom, model: DiffusionModel | None, image_size: int, channels: int = 1
) -> Beginning:
    """What `init_from` names. `model` is the diffusion model to train, whose schedule a folder must state.

    A folder's UNet must be of images of so many pixels a side and so many channels.

    Raises ValueError where the folder holds no such weights, or does not say its classes.
    """
    if init_from.run is not None:
        return _of_run(init_from, Path(init_from.run))
    if model is None:
        raise ValueError(f"init_from: {init_from.folder} holds a UNet, but this model has none; name a run")
    return _of_folder(init_from, model, image_size, channels)


def _of_run(init_from: InitFrom, folder: Path) -> Beginning:
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ValueError(
            f"init_from: expected {weights}, but there is none; name the folder of a finished run"
        )
    check_weights(weights)
    description = read_description(weights)
    network, conditioning, noise_inputs, predicts = described_run(folder, description)
    classes = () if conditioning == "none" else _classes_of(init_from, folder, description)
    channels = channels_of_run(description)
    return Beginning(
        str(folder),
        network,
        image_inputs(network, conditioning, classes, noise_inputs, channels),
        load_file(weights),
        predicts,
        {"run": str(folder), "kind": description["kind"], "weights_sha256": description["weights_sha256"]},
        unet_of_run(description),
        channels,
    )


def _classes_of(init_from: InitFrom, folder: Path, description: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a run's classes: the user's, else those of run.json, else those it was fine-tuned on."""
    classes = init_from.classes or _listed_in(folder / RUN_FILE)
    classes = classes or tuple((description.get("init_from") or {}).get("classes", ()))
    expected = description["n_classes"]
    if not classes:
        raise ValueError(
            f"init_from: {folder} has no {RUN_FILE}, so the names of its {expected} classes are not known; "
            "list them as `classes`, in the order of their mask values"
        )
    if len(classes) != expected:
        raise ValueError(
            f"init_from: {folder} knows {expected} classes, but {len(classes)} are named "
            f"({', '.join(classes)}); list all, in the order of their mask values"
        )
    return classes


def _listed_in(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    return tuple(str(known["name"]) for known in read_json(path).get("classes", []))


def _of_folder(init_from: InitFrom, model: DiffusionModel, image_size: int, channels: int) -> Beginning:
    folder = Path(str(init_from.folder))
    classes = init_from.classes or ()
    described = ImportedModel(
        kind="imported",
        folder=str(folder),
        conditioning=init_from.conditioning,
        unet=model.unet if model.unet and model.unet.patch == 1 else None,
        prediction_type=model.prediction_type,
        schedule=model.schedule,
    )
    from segguided.models.importing import read_unet  # noqa: PLC0415 - SPADE does not wait for diffusers

    unet = read_unet(described, len(classes), image_size, channels)
    root = folder / "unet" if (folder / "unet").is_dir() else folder
    return Beginning(
        str(folder),
        "unet",
        image_inputs("unet", init_from.conditioning, classes, channels=channels),
        {f"unet.{name}": tensor for name, tensor in unet.state_dict().items()},
        model.prediction_type,
        {
            "folder": str(folder),
            "kind": "imported",
            "weights_sha256": [sha256_of(path) for path in find_weights(root).files],
        },
        unet_config(unet),
        channels,
    )


def begin_denoiser(
    network: "MaskedDenoiser",
    model: DiffusionModel,
    classes: Sequence[str],
    image_size: int,
    init_from: InitFrom,
) -> dict[str, Any]:
    """Fill a new denoiser of `classes` with trained weights; what config.json says of it."""
    start = read_beginning(init_from, model, image_size, network.channels)
    kind = "decoder" if model.decoder else "unet"
    inputs = image_inputs(kind, model.conditioning, classes, model.noise_inputs, network.channels)
    return put_into(network, kind, inputs, model.prediction_type, start, network.channels)


def begin_generator(
    network: "Generator", classes: Sequence[str], image_size: int, init_from: InitFrom
) -> dict[str, Any]:
    """Fill a new SPADE generator of `classes` with trained weights; what config.json says of it."""
    start = read_beginning(init_from, None, image_size)
    inputs = image_inputs("spade", "onehot", classes)
    return put_into(network, "spade", inputs, None, start, network.channels)
