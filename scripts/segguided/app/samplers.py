"""The sampler of a run folder, whatever kind of model it holds; loaded once for each seed."""

from functools import lru_cache
from pathlib import Path

from segguided.app.run_folder import RunFolder
from segguided.config.sampling import Sampling
from segguided.generation.samplers import any_model
from segguided.generation.sets import Sampler

WITHOUT_NOISE = ("spade", "regression")  # the same image of a mask for each seed


def load_sampler(run: RunFolder, sampling: Sampling, seed: int) -> Sampler:
    """The sampler. Raises ValueError for weights that are damaged or of another kind than the folder says."""
    return _load(run.facts.kind, run.weights, run.facts.weights_sha256, sampling.to_json(), seed)


@lru_cache(maxsize=1)
def _load(kind: str, weights: Path, _sha256: str, sampling_json: str, seed: int) -> Sampler:
    """The checksum is here so that other weights at the same place are loaded anew."""
    return any_model.load_sampler(weights, Sampling.from_json(sampling_json), seed, kind)
