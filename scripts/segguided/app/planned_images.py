"""Which images a call makes: of each mask one for each noise seed and sample, in batches."""

from dataclasses import dataclass
from pathlib import Path

from segguided.app.mask_inputs import UserMasks
from segguided.config.sampling import Sampling


@dataclass(frozen=True)
class Wanted:
    """What is asked for: noise seeds, samples of each mask and seed, classes that are left to the model.

    Of the images of each mask the `keep` best are kept (None: all), by the segmenter of this checksum.
    """

    seeds: tuple[int, ...]
    samples: int
    free: tuple[int, ...]
    sampling: Sampling
    keep: int | None = None
    chooser_sha256: str = ""

    @property
    def settings(self) -> dict[str, object]:
        """As JSON values."""
        chosen = {} if self.keep is None else {"keep_best": self.keep, "segmenter": self.chooser_sha256}
        return {
            "seeds": list(self.seeds),
            "samples": self.samples,
            "free": list(self.free),
            "sampling": self.sampling.model_dump(mode="json"),
            **chosen,
        }


@dataclass(frozen=True)
class MaskBatch:
    """Masks (B, H, W) of one call of the sampler; which they are decides an image's last bits."""

    number: int
    seed: int
    sample: int
    rows: range  # of the masks


@dataclass(frozen=True)
class MadeImage:
    """An image of the mask in this row; `rank`: its place among those of its mask that are kept, from 1."""

    file: Path
    row: int
    seed: int
    sample: int
    rank: int | None = None


def plan(masks: UserMasks, wanted: Wanted) -> list[MaskBatch]:
    """All batches: for each seed and sample the masks in their order, as the pipeline's sets are made."""
    size = wanted.sampling.batch_size
    batches: list[MaskBatch] = []
    for seed in wanted.seeds:
        for sample in range(wanted.samples):
            for start in range(0, len(masks.names), size):
                rows = range(start, min(start + size, len(masks.names)))
                batches.append(MaskBatch(len(batches), seed, sample, rows))
    return batches


def image_name(masks: UserMasks, row: int, batch: MaskBatch, wanted: Wanted) -> str:
    """The file's name without its ending: the mask id, then seed and sample where there are several."""
    name = masks.names[row]
    if len(wanted.seeds) > 1:
        name += f"_seed{batch.seed}"
    return name if wanted.samples == 1 else f"{name}_{batch.sample}"
