"""A call of `generate`, checked before anything is loaded or written."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segguided.app.contact_sheet import write_contact_sheet
from segguided.app.generate import IMAGES, MASKS, Wanted, generate, image_name, plan
from segguided.app.label_volumes import ENDINGS
from segguided.app.mask_inputs import UserMasks, read_masks
from segguided.app.run_folder import RunFolder, read_run
from segguided.app.samplers import WITHOUT_NOISE
from segguided.app.validation import unlike_training
from segguided.app.volumes import write_volume
from segguided.data.formats.png import read_grey
from segguided.listing import stem_of
from segguided.training.storage import read_description

LOG = logging.getLogger("segguided")
CONTACT_SHEET = "contact_sheet.png"
VOLUMES = "volumes"
SHOWN = 20  # sentences; the others are counted


@dataclass(frozen=True)
class Call:
    """What is generated from what."""

    run: RunFolder
    masks: UserMasks
    wanted: Wanted


def validated(
    run_folder: Path,
    masks: Path,
    images_per_mask: int,
    noise_seeds: Sequence[int] | None,
    free: Sequence[str],
    absent: Sequence[str],
    steps: int | None,
) -> Call:
    """The call; what is unlike the masks of training is logged.

    Raises ValueError for what cannot be generated.
    """
    run = read_run(run_folder)
    wanted = _wanted(run, images_per_mask, noise_seeds, free, steps)
    if wanted.free:
        run.completer()  # that it is there
    _check_classes("--absent", absent, run)
    found = read_masks(masks, run.facts, {*free, *absent})
    sentences = [*found.notes, *unlike_training(found, run.facts, {*free, *absent})]
    for sentence in sentences[:SHOWN]:
        LOG.warning("%s", sentence)
    if len(sentences) > SHOWN:
        LOG.warning("and %d more of such", len(sentences) - SHOWN)
    return Call(run, found, wanted)


def _wanted(
    run: RunFolder,
    images_per_mask: int,
    noise_seeds: Sequence[int] | None,
    free: Sequence[str],
    steps: int | None,
) -> Wanted:
    facts = run.facts
    if images_per_mask < 1:
        raise ValueError(f"--images-per-mask is {images_per_mask}; ask for 1 or more")
    seeds = tuple(noise_seeds) if noise_seeds else (facts.seed,)
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"--noise-seeds are {', '.join(map(str, seeds))}; give different numbers from 0")
    if facts.kind in WITHOUT_NOISE and (images_per_mask > 1 or len(seeds) > 1):
        raise ValueError(
            f"{facts.model} makes the same image of a mask each time, for it takes no noise; ask for one "
            "image a mask, or use a diffusion model"
        )
    sampling = facts.sampling
    if steps is not None:
        if steps < 1:
            raise ValueError(f"--steps is {steps}; ask for 1 or more")
        _check_steps(run, steps)
        sampling = sampling.model_copy(update={"steps": steps})
    return Wanted(seeds, images_per_mask, _values(run, free), sampling)


def _check_steps(run: RunFolder, steps: int) -> None:
    """Raise ValueError for more steps than the noise schedule of a diffusion model has."""
    settings = read_description(run.weights).get("model") or {}
    timesteps = (settings.get("schedule") or {}).get("timesteps")
    if timesteps and steps > timesteps:
        raise ValueError(f"--steps is {steps}, but the noise schedule has {timesteps} timesteps; lower it")


def _values(run: RunFolder, free: Sequence[str]) -> tuple[int, ...]:
    """The values of the free classes. Raises ValueError for a name that is no class, and for other models."""
    if not free:
        return ()
    _check_classes("--free", free, run)
    if run.facts.kind not in ("diffusion", "imported"):
        raise ValueError(
            f"--free leaves classes to the model, but {run.facts.model} ({run.facts.kind}) always follows "
            "whole masks; use segguided-plus or a model trained with mask ablation"
        )
    return tuple(sorted({run.class_names.index(name) + 1 for name in free}))


def _check_classes(option: str, names: Sequence[str], run: RunFolder) -> None:
    unknown = [name for name in names if name not in run.class_names]
    if unknown:
        raise ValueError(
            f"{option} names {', '.join(unknown)}; the model's classes are {', '.join(run.class_names)}"
        )


def generate_for(call: Call, output: Path) -> None:
    """Write all that a call makes into the folder `output`."""
    images = generate(call.run, call.masks, call.wanted, output)
    _write_volumes(call, output)
    followed = output / MASKS
    masks = [
        read_grey(followed / path.name) if (followed / path.name).is_file() else call.masks.masks_NHW[row]
        for path, row in zip(images, _rows(call), strict=True)
    ]
    write_contact_sheet(output / CONTACT_SHEET, images, masks, call.run.facts)
    LOG.info("%d images are in %s", len(images), output / IMAGES)


def _rows(call: Call) -> list[int]:
    """The mask of each image, in the order of the manifest."""
    return [row for batch in plan(call.masks, call.wanted) for row in batch.rows]


def _write_volumes(call: Call, output: Path) -> None:
    """For each label volume, seed and sample a NIfTI volume of the images of its slices."""
    slices: dict[tuple[Path, int, int], dict[int, Path]] = {}
    for batch in plan(call.masks, call.wanted):
        for row in batch.rows:
            place = call.masks.places[row]
            if place.z is not None:
                file = output / IMAGES / f"{image_name(call.masks, row, batch, call.wanted)}.png"
                slices.setdefault((place.path, batch.seed, batch.sample), {})[place.z] = file
    for (path, seed, sample), files in slices.items():
        name = stem_of(path.name, ENDINGS)
        name += f"_seed{seed}" if len(call.wanted.seeds) > 1 else ""
        name += f"_{sample}" if call.wanted.samples > 1 else ""
        images = {z: read_grey(file) for z, file in files.items()}
        target = output / VOLUMES / f"{name}.nii.gz"
        write_volume(target, path, call.masks.volumes[path], images, call.run.facts)
