"""The scheduler stated beside weights from elsewhere: is it the process that images are drawn with?

diffusers itself builds the stated scheduler, and what counts is compared: ᾱ at every time step, what the
network predicts, and whether x0 is cut. Spacing and offset of the steps are a choice of sampling.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import diffusers
import torch
from pydantic import ValidationError
from torch import Tensor

from segguided.config.models.diffusion import NoiseSchedule, PredictionType
from segguided.models.diffusion import DiffusionSettings, noise_schedule
from segguided.models.foreign import read_json

LOG = logging.getLogger("segguided")
STATED = "scheduler_config.json"
CUTTING = (
    "DDIM",
    "DDPM",
    "DDIMParallel",
    "DDPMParallel",
)  # steps that can cut x0; others state nothing of it
# Solvers of one and the same process. Others expect distilled weights or noise that is given by σ.
SOLVERS = (
    *(*CUTTING, "DDIMInverse", "PNDM", "DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep"),
    *("UniPCMultistep", "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "KDPM2Discrete"),
    *("KDPM2AncestralDiscrete", "LMSDiscrete", "SASolver"),
)
INEXPRESSIBLE = ("rescale_betas_zero_snr", "trained_betas")  # changes of β that the settings do not know
ALIKE = {"rtol": 1e-4, "atol": 1e-7}  # of ᾱ in float32, whose last values are small


@dataclass(frozen=True)
class Stated:
    """What a scheduler's file says of the process."""

    alpha_bar_T: Tensor
    prediction_type: str
    schedule: NoiseSchedule | None  # the settings that give this ᾱ; None: there are none
    says: str  # how its noise is made, for messages
    limit: float | None  # x0 is cut to ± this; None: never
    cuts: bool  # whether it says anything of that


@dataclass(frozen=True)
class Difference:
    """Between the file and the settings."""

    theirs: str
    ours: str
    setting: str  # as the settings would have to say it; nothing where they cannot


def check_stated(
    path: Path, process: DiffusionSettings, settings: str, limit: float | None = None, *, cut: bool = True
) -> None:
    """Raise ValueError where the scheduler in the file `path` is not `process`, with the settings to write.

    `settings` names the place of those settings; `limit` is what x0 is cut to, which plays no part where
    `cut` is false. Without a file the settings count, and the log says so.
    """
    if not path.is_file():
        LOG.info(
            f"{path}: not there, so {settings} alone count: prediction_type: {process.prediction_type}, "
            f"schedule: {_written(process.schedule)}"
        )
        return
    stated = _read(path)
    differences = _differences(stated, process)
    if cut and stated.cuts and stated.limit != limit:
        setting = f"clip_sample_range: {'null' if stated.limit is None else f'{stated.limit:g}'}"
        differences.append(Difference(_cut(stated.limit), _cut(limit), setting))
    if not differences:
        return
    written = [difference.setting for difference in differences]
    way_out = (
        f"write {', '.join(written)} there" if all(written) else "none of them gives that: import others"
    )
    raise ValueError(
        f"{path} states {', '.join(one.theirs for one in differences)}, but {settings} say "
        f"{', '.join(one.ours for one in differences)}; {way_out}"
    )


def _differences(stated: Stated, process: DiffusionSettings) -> list[Difference]:
    found = []
    theirs, ours = stated.prediction_type, process.prediction_type
    if theirs != ours:
        setting = f"prediction_type: {theirs}" if theirs in get_args(PredictionType) else ""
        found.append(Difference(f"prediction_type {theirs}", ours, setting))
    ours_T = noise_schedule(process).alphas_cumprod
    if not _alike(stated.alpha_bar_T, ours_T):
        noise = f"{_noise(stated.alpha_bar_T, ours_T)} ({stated.says})"
        setting = f"schedule: {_written(stated.schedule)}" if stated.schedule else ""
        found.append(Difference(noise, _noise(ours_T, stated.alpha_bar_T), setting))
    return found


def _alike(alpha_bar_T: Tensor, other_T: Tensor) -> bool:
    return len(alpha_bar_T) == len(other_T) and torch.allclose(alpha_bar_T, other_T, **ALIKE)


def _read(path: Path) -> Stated:
    config = _modern(path, read_json(path))
    name = str(config.get("_class_name", "DDPMScheduler"))  # the oldest files name none
    if name.removesuffix("Scheduler") not in SOLVERS:
        raise ValueError(
            f"{path} names a {name}, expected a scheduler of a process given by ᾱ, such as DDIMScheduler; "
            "its weights cannot be drawn from here: import others"
        )
    try:
        scheduler = getattr(diffusers, name).from_config(config)
    # What its constructor happens to trip over; ImportError: it asks for a package.
    except (ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, ImportError) as error:
        raise ValueError(
            f"{path} describes no scheduler that diffusers can build ({' '.join(str(error).split())[:200]}); "
            "get it again, or mend it"
        ) from error
    stated = scheduler.config
    _check_alien(path, stated)
    alpha_bar_T = torch.as_tensor(scheduler.alphas_cumprod).float()
    spacing = {key: config[key] for key in ("timestep_spacing", "steps_offset") if key in config}
    if spacing:
        said = ", ".join(f"{key} {value}" for key, value in spacing.items())
        LOG.info(f"{path} states {said}: for the choice of time steps, the config's `sampling` counts")
    return Stated(
        alpha_bar_T=alpha_bar_T,
        prediction_type=stated.get("prediction_type", "epsilon"),
        schedule=_schedule(stated, alpha_bar_T),
        says=_says(stated),
        limit=float(stated["clip_sample_range"]) if stated.get("clip_sample") else None,
        cuts=name.removesuffix("Scheduler") in CUTTING,
    )


def _modern(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Before diffusers 0.11 a DDPM scheduler said `predict_epsilon`, which later versions pass over."""
    if "predict_epsilon" not in config:
        return config
    old = "epsilon" if config["predict_epsilon"] else "sample"
    if config.get("prediction_type", old) != old:
        raise ValueError(
            f"{path} states predict_epsilon {config['predict_epsilon']} and prediction_type "
            f"{config['prediction_type']}, which contradict each other; keep the true one"
        )
    return {**config, "prediction_type": old}


def _check_alien(path: Path, stated: dict[str, Any]) -> None:
    """Raise ValueError for what sampling here never does."""
    if str(stated.get("variance_type")).startswith("learned"):
        raise ValueError(
            f"{path} states variance_type {stated['variance_type']}: the network predicts a variance too, "
            "which nothing here takes; import other weights"
        )
    if stated.get("use_flow_sigmas"):
        raise ValueError(
            f"{path} states use_flow_sigmas: flow matching is not drawn here; import other weights"
        )
    if stated.get("thresholding"):
        raise ValueError(
            f"{path} states thresholding, a cut of x0 that changes from step to step and is not done here; "
            "where the images may do without, set thresholding to false and clip_sample to true in that file"
        )


def _schedule(stated: dict[str, Any], alpha_bar_T: Tensor) -> NoiseSchedule | None:
    """The settings whose ᾱ is `alpha_bar_T`, if there are any."""
    try:
        schedule = NoiseSchedule(
            growth=stated["beta_schedule"],
            timesteps=stated["num_train_timesteps"],
            beta_start=stated["beta_start"],
            beta_end=stated["beta_end"],
        )
    except ValidationError:
        return None
    return schedule if _alike(noise_schedule(_Process(schedule)).alphas_cumprod, alpha_bar_T) else None


@dataclass(frozen=True)
class _Process:
    schedule: NoiseSchedule
    prediction_type: PredictionType = "epsilon"


def _says(stated: dict[str, Any]) -> str:
    special = [key for key in INEXPRESSIBLE if stated.get(key)]
    return ", ".join([f"beta_schedule {stated['beta_schedule']}", *special])


def _noise(alpha_bar_T: Tensor, other_T: Tensor) -> str:
    """ᾱ where it is furthest from the other, or the number of steps."""
    if len(alpha_bar_T) != len(other_T):
        return f"{len(alpha_bar_T)} timesteps"
    t = int((alpha_bar_T - other_T).abs().argmax())
    return f"ᾱ {alpha_bar_T[t]:.4g} at t = {t}"


def _cut(limit: float | None) -> str:
    return "x0 never cut" if limit is None else f"x0 cut to ±{limit:g}"


def _written(schedule: NoiseSchedule) -> str:
    """As YAML."""
    return (
        f"{{growth: {schedule.growth}, timesteps: {schedule.timesteps}, beta_start: {schedule.beta_start:g}, "
        f"beta_end: {schedule.beta_end:g}}}"
    )
