"""The sampler of a run folder, whatever kind of model it holds; loaded once for each seed."""

from functools import lru_cache
from pathlib import Path

from segguided.app.run_folder import RunFolder
from segguided.config.sampling import Sampling
from segguided.devices import pick_device
from segguided.generation.sets import Sampler

WITHOUT_NOISE = ("spade", "regression")  # the same image of a mask for each seed


def load_sampler(run: RunFolder, sampling: Sampling, seed: int) -> Sampler:
    """The sampler. Raises ValueError for weights that are damaged or of another kind than the folder says."""
    return _load(run.facts.kind, run.weights, run.facts.weights_sha256, sampling.to_json(), seed)


@lru_cache(maxsize=1)
def _load(kind: str, weights: Path, _sha256: str, sampling_json: str, seed: int) -> Sampler:
    """The checksum is here so that other weights at the same place are loaded anew."""
    sampling = Sampling.from_json(sampling_json)
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
