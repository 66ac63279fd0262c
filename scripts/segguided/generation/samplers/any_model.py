"""The sampler of trained weights, whatever kind of model they are of."""

from pathlib import Path

from segguided.config.sampling import Sampling
from segguided.devices import pick_device
from segguided.generation.sets import Sampler
from segguided.training.storage import read_description


def load_sampler(weights: Path, sampling: Sampling, seed: int, kind: str | None = None) -> Sampler:
    """The sampler, on the accelerator where there is one. `kind` of model; None: as config.json says.

    Models that generate in one call look at `sampling.precision` alone. Raises ValueError for weights that
    are damaged, or of another or an unknown kind.
    """
    kind = kind or str(read_description(weights)["kind"])
    device = pick_device()
    # Each kind imports what it needs: with ControlNet's autoencoder a process would start a second later.
    match kind:
        case "diffusion" | "imported":
            from segguided.generation import diffusion  # noqa: PLC0415

            return diffusion.load_sampler(weights, sampling, seed)
        case "spade":
            from segguided.generation import spade  # noqa: PLC0415

            return spade.make_sampler(spade.load_generator(weights, device), sampling.precision)
        case "controlnet":
            from segguided.generation import controlnet  # noqa: PLC0415

            pipeline, process = controlnet.load_pipeline(weights, device)
            return controlnet.make_sampler(pipeline, process, sampling, seed)
        case "regression":
            from segguided.generation import regression  # noqa: PLC0415

            return regression.make_sampler(regression.load_regression(weights, device), sampling.precision)
    raise ValueError(f"{weights} is of the kind {kind}, which this version does not know; use a newer one")
