"""A call of `generate`, checked before anything is loaded or written."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segguided.app.generate import IMAGES, MASKS, generate
from segguided.app.label_volumes import ENDINGS
from segguided.app.mask_inputs import UserMasks, read_masks
from segguided.app.planned_images import MadeImage, Wanted
from segguided.app.run_folder import RunFolder, read_run
from segguided.app.samplers import WITHOUT_NOISE
from segguided.app.segmenters import Chooser, find_chooser
from segguided.app.validation import unlike_training
from segguided.app.volumes import write_volume
from segguided.config.sampling import Sampling
from segguided.data.formats.png import read_grey, read_pixels
from segguided.listing import stem_of
from segguided.training.storage import read_description

LOG = logging.getLogger("segguided")
CONTACT_SHEET = "contact_sheet.png"
VOLUMES = "volumes"
SHOWN = 20  # sentences; the others are counted


@dataclass(frozen=True)
class Asked:
    """The options of a call, as the user gave them."""

    images_per_mask: int = 1
    noise_seeds: Sequence[int] | None = None
    free: Sequence[str] = ()
    absent: Sequence[str] = ()
    steps: int | None = None
    keep_best: int | None = None
    segmenter: Path | None = None


@dataclass(frozen=True)
class Call:
    """What is generated from what."""

    run: RunFolder
    masks: UserMasks
    wanted: Wanted
    chooser: Chooser | None


def validated(run_folder: Path, masks: Path, asked: Asked) -> Call:
    """The call; what is unlike the masks of training is logged.

    Raises ValueError for what cannot be generated.
    """
    run = read_run(run_folder)
    chooser = _chooser(run, asked)
    wanted = wanted_of(run, asked, chooser)
    _check_classes("absent", asked.absent, run)
    may_lack = {*asked.free, *asked.absent}
    found = read_masks(masks, run.facts, may_lack)
    log_some([*found.notes, *unlike_training(found, run.facts, may_lack)])
    return Call(run, found, wanted, chooser)


def check_output(output: Path, masks: Path) -> None:
    """Raise ValueError for an output that can be no folder, or would be in the folder of the masks."""
    there = next(path for path in (output, *output.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ValueError(
            f"{output}: expected a folder for the images, but {there} is no folder; name another"
        )
    if masks.is_dir() and output.resolve().is_relative_to(masks.resolve()):
        raise ValueError(
            f"{output}: is in the folder of the masks, in which nothing is changed; name another folder"
        )


def log_some(sentences: Sequence[str]) -> None:
    """Log the first sentences as warnings, and how many more there are."""
    for sentence in sentences[:SHOWN]:
        LOG.warning("%s", sentence)
    if len(sentences) > SHOWN:
        LOG.warning("and %d more of such", len(sentences) - SHOWN)


def wanted_of(run: RunFolder, asked: Asked, chooser: Chooser | None = None) -> Wanted:
    """What is asked of a run; None: the run's own seed and steps.

    Raises ValueError for what the run's model cannot do, and where its mask completer is needed and missing.
    """
    wanted = _wanted(run, asked, chooser)
    if wanted.free:
        run.completer()  # that it is there
    return wanted


def _chooser(run: RunFolder, asked: Asked) -> Chooser | None:
    """What chooses the images. Raises ValueError where more are to be kept than are made, or all."""
    if asked.keep_best is None:
        if asked.segmenter is not None:
            raise ValueError("--segmenter chooses the images for --keep-best; give that too, or neither")
        return None
    made = asked.images_per_mask * len(asked.noise_seeds or [0])
    if not 1 <= asked.keep_best < made:
        raise ValueError(
            f"--keep-best is {asked.keep_best}, but of each mask {made} would be made; keep at least 1, and "
            "have more made than are kept (--images-per-mask, --noise-seeds)"
        )
    return find_chooser(run, asked.segmenter)


def _wanted(run: RunFolder, asked: Asked, chooser: Chooser | None) -> Wanted:
    facts = run.facts
    if asked.images_per_mask < 1:
        raise ValueError(f"{asked.images_per_mask} images of each mask were asked for; ask for 1 or more")
    seeds = tuple(asked.noise_seeds) if asked.noise_seeds else (facts.seed,)
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"the noise seeds are {', '.join(map(str, seeds))}; give different numbers from 0")
    if facts.kind in WITHOUT_NOISE and (asked.images_per_mask > 1 or len(seeds) > 1):
        raise ValueError(
            f"{facts.model} makes the same image of a mask each time, for it takes no noise; ask for one "
            "image a mask, or use a diffusion model"
        )
    return Wanted(
        seeds,
        asked.images_per_mask,
        _values(run, asked.free),
        _sampling(run, asked.steps),
        asked.keep_best,
        chooser.weights_sha256 if chooser else "",
    )


def _sampling(run: RunFolder, steps: int | None) -> Sampling:
    if steps is None:
        return run.facts.sampling
    if steps < 1:
        raise ValueError(f"{steps} sampling steps were asked for; ask for 1 or more")
    _check_steps(run, steps)
    return run.facts.sampling.model_copy(update={"steps": steps})


def _check_steps(run: RunFolder, steps: int) -> None:
    """Raise ValueError for more steps than the noise schedule of a diffusion model has."""
    settings = read_description(run.weights).get("model") or {}
    timesteps = (settings.get("schedule") or {}).get("timesteps")
    if timesteps and steps > timesteps:
        raise ValueError(
            f"{steps} sampling steps were asked for, but the noise schedule has {timesteps} timesteps; "
            "ask for fewer"
        )


def _values(run: RunFolder, free: Sequence[str]) -> tuple[int, ...]:
    """The values of the free classes. Raises ValueError for a name that is no class, and for other models."""
    if not free:
        return ()
    _check_classes("free", free, run)
    if run.facts.kind not in ("diffusion", "imported") and not _is_trained_with_ablation(run):
        raise ValueError(
            f"classes were to be left to the model, but {run.facts.model} ({run.facts.kind}) always follows "
            "whole masks; use segguided-plus or a model trained with mask ablation"
        )
    return tuple(sorted({run.class_names.index(name) + 1 for name in free}))


def _is_trained_with_ablation(run: RunFolder) -> bool:
    """Whether a SPADE or ControlNet was trained on masks with classes removed."""
    description = read_description(run.weights)
    settings = description.get("model") or description.get("control") or {}
    return settings.get("mask_ablation", "none") != "none"


def _check_classes(state: str, names: Sequence[str], run: RunFolder) -> None:
    unknown = [name for name in names if name not in run.class_names]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} cannot be {state}: the model's classes are {', '.join(run.class_names)}"
        )


def generate_for(call: Call, output: Path) -> None:
    """Write all that a call makes into the folder `output`."""
    made = generate(call.run, call.masks, call.wanted, output)
    # Imported only now, so that the first image need not wait for matplotlib and MONAI.
    from segguided.app.contact_sheet import write_contact_sheet  # noqa: PLC0415
    from segguided.app.keeping import keep_best  # noqa: PLC0415

    if call.chooser:
        made = keep_best(made, call.masks, call.wanted, call.chooser, len(call.run.facts.classes), output)
    _write_volumes(call, made, output)
    followed = output / MASKS
    masks = [
        read_grey(followed / image.file.name)
        if (followed / image.file.name).is_file()
        else call.masks.masks_NHW[image.row]
        for image in made
    ]
    write_contact_sheet(output / CONTACT_SHEET, [image.file for image in made], masks, call.run.facts)
    LOG.info("%d images are in %s", len(made), output / IMAGES)


def _write_volumes(call: Call, made: Sequence[MadeImage], output: Path) -> None:
    """For each label volume a NIfTI volume of the images of its slices, for each seed and sample.

    Where the best images are kept: one of the best image of each slice, one of the second best, and so on.
    """
    slices: dict[tuple[Path, str], dict[int, Path]] = {}
    for image in made:
        place = call.masks.places[image.row]
        if place.z is not None:
            key = (place.path, _volume_suffix(call.wanted, image))
            slices.setdefault(key, {})[place.z] = image.file
    for (path, suffix), files in slices.items():
        channels = call.run.facts.n_channels
        images = {z: read_pixels(file, channels) for z, file in files.items()}
        target = output / VOLUMES / f"{stem_of(path.name, ENDINGS)}{suffix}.nii.gz"
        write_volume(target, path, call.masks.volumes[path], images, call.run.facts)


def _volume_suffix(wanted: Wanted, image: MadeImage) -> str:
    """What tells the volumes of one mask apart; empty where there is one."""
    if wanted.keep is not None:
        return f"_best{image.rank}" if wanted.keep > 1 else ""
    seed = f"_seed{image.seed}" if len(wanted.seeds) > 1 else ""
    return f"{seed}_{image.sample}" if wanted.samples > 1 else seed
