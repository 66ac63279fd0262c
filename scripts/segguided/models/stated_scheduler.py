"""Checks the scheduler file beside weights from elsewhere: does it state the diffusion of our settings?

diffusers itself builds the stated scheduler. Then three things are compared: ᾱ at every time step, what the
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
# Schedulers whose steps can cut x0; the others say nothing about it.
CUTTING = ("DDIM", "DDPM", "DDIMParallel", "DDPMParallel")
# Schedulers of the same diffusion. The remaining ones expect distilled weights, or noise given by σ.
SOLVERS = (
    *CUTTING,
    "DDIMInverse",
    "PNDM",
    "DPMSolverMultistep",
    "DPMSolverSinglestep",
    "DEISMultistep",
    "UniPCMultistep",
    "EulerDiscrete",
    "EulerAncestralDiscrete",
    "HeunDiscrete",
    "KDPM2Discrete",
    "KDPM2AncestralDiscrete",
    "LMSDiscrete",
    "SASolver",
)
CHANGES_OF_BETA = ("rescale_betas_zero_snr", "trained_betas")  # that our settings cannot express
TOLERANCE = {"rtol": 1e-4, "atol": 1e-7}  # of ᾱ in float32, whose last values are small


@dataclass(frozen=True)
class StatedDiffusion:
    """What a scheduler file says of the diffusion."""

    alpha_bar_T: Tensor
    prediction_type: str
    schedule: NoiseSchedule | None  # the settings that give this ᾱ; None: no settings do
    noise_words: str  # how the file describes its noise, for messages
    limit: float | None  # x0 is cut to ± this; None: never
    states_limit: bool  # whether the file says anything about cutting


@dataclass(frozen=True)
class Difference:
    """One difference between the file and the settings."""

    theirs: str
    ours: str
    setting: str  # what to write into the settings; empty if they cannot express it


def check_stated(
    path: Path, settings: DiffusionSettings, place: str, limit: float | None = None, *, cut: bool = True
) -> None:
    """Raise ValueError, with what to write, if the scheduler file `path` states another diffusion.

    `place` says in words where the `settings` are. `limit` is what x0 is cut to; with `cut` false it is not
    compared. Without a file the settings count, and the log says so.
    """
    if not path.is_file():
        LOG.info(
            f"{path}: not there, so {place} alone count: prediction_type: {settings.prediction_type}, "
            f"schedule: {_as_yaml(settings.schedule)}"
        )
        return
    stated = _read(path)
    differences = _differences(stated, settings)
    if cut and stated.states_limit and stated.limit != limit:
        setting = f"clip_sample_range: {'null' if stated.limit is None else f'{stated.limit:g}'}"
        differences.append(Difference(_cut_words(stated.limit), _cut_words(limit), setting))
    if not differences:
        return
    theirs = ", ".join(difference.theirs for difference in differences)
    ours = ", ".join(difference.ours for difference in differences)
    to_write = [difference.setting for difference in differences]
    if all(to_write):
        remedy = f"write {', '.join(to_write)} there"
    else:
        remedy = "no setting gives that: import other weights"
    raise ValueError(f"{path} states {theirs}, but {place} say {ours}; {remedy}")


def _differences(stated: StatedDiffusion, settings: DiffusionSettings) -> list[Difference]:
    """How the prediction type and the noise differ, if they do."""
    differences = []
    theirs = stated.prediction_type
    ours = settings.prediction_type
    if theirs != ours:
        setting = f"prediction_type: {theirs}" if theirs in get_args(PredictionType) else ""
        differences.append(Difference(f"prediction_type {theirs}", ours, setting))
    ours_T = noise_schedule(settings).alphas_cumprod
    if not _is_same_noise(stated.alpha_bar_T, ours_T):
        noise = f"{_noise_text(stated.alpha_bar_T, ours_T)} ({stated.noise_words})"
        setting = f"schedule: {_as_yaml(stated.schedule)}" if stated.schedule else ""
        differences.append(Difference(noise, _noise_text(ours_T, stated.alpha_bar_T), setting))
    return differences


def _is_same_noise(alpha_bar_T: Tensor, compared_T: Tensor) -> bool:
    return len(alpha_bar_T) == len(compared_T) and torch.allclose(alpha_bar_T, compared_T, **TOLERANCE)


def _read(path: Path) -> StatedDiffusion:
    """What the file states. Raises ValueError if nothing here can use weights of such a scheduler."""
    config = _modern(path, read_json(path))
    name = str(config.get("_class_name", "DDPMScheduler"))  # the oldest files name none
    if name.removesuffix("Scheduler") not in SOLVERS:
        raise ValueError(
            f"{path} names a {name}, expected a scheduler of a process given by ᾱ, such as DDIMScheduler; "
            "nothing here can generate with its weights: import other weights"
        )
    try:
        scheduler = getattr(diffusers, name).from_config(config)
    # Whatever its constructor raises; ImportError: it asks for a package.
    except (ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, ImportError) as error:
        raise ValueError(
            f"{path} describes no scheduler that diffusers can build ({' '.join(str(error).split())[:200]}); "
            "get it again, or fix it"
        ) from error
    stated = scheduler.config
    _check_usable(path, stated)
    alpha_bar_T = torch.as_tensor(scheduler.alphas_cumprod).float()
    _log_spacing(path, config)
    return StatedDiffusion(
        alpha_bar_T=alpha_bar_T,
        prediction_type=stated.get("prediction_type", "epsilon"),
        schedule=_schedule(stated, alpha_bar_T),
        noise_words=_noise_words(stated),
        limit=float(stated["clip_sample_range"]) if stated.get("clip_sample") else None,
        states_limit=name.removesuffix("Scheduler") in CUTTING,
    )


def _log_spacing(path: Path, config: dict[str, Any]) -> None:
    spacing = [f"{key} {config[key]}" for key in ("timestep_spacing", "steps_offset") if key in config]
    if spacing:
        stated = ", ".join(spacing)
        LOG.info(f"{path} states {stated}: for the choice of time steps, the config's `sampling` counts")


def _modern(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration in today's words: DDPM schedulers of diffusers before 0.11 have `predict_epsilon`."""
    if "predict_epsilon" not in config:
        return config
    old = "epsilon" if config["predict_epsilon"] else "sample"
    if config.get("prediction_type", old) != old:
        raise ValueError(
            f"{path} states predict_epsilon {config['predict_epsilon']} and prediction_type "
            f"{config['prediction_type']}, which contradict each other; keep the true one"
        )
    return {**config, "prediction_type": old}


def _check_usable(path: Path, stated: dict[str, Any]) -> None:
    """Raise ValueError for a scheduler that does what sampling here never does."""
    if str(stated.get("variance_type")).startswith("learned"):
        raise ValueError(
            f"{path} states variance_type {stated['variance_type']}: the network predicts a variance too, "
            "which nothing here uses; import other weights"
        )
    if stated.get("use_flow_sigmas"):
        raise ValueError(
            f"{path} states use_flow_sigmas: flow matching is not supported here; import other weights"
        )
    if stated.get("thresholding"):
        raise ValueError(
            f"{path} states thresholding, a cut of x0 that changes from step to step and is not done here; "
            "if the images do not need it, set thresholding to false and clip_sample to true in that file"
        )


def _schedule(stated: dict[str, Any], alpha_bar_T: Tensor) -> NoiseSchedule | None:
    """The settings that give `alpha_bar_T`; None if there are none."""
    try:
        schedule = NoiseSchedule(
            growth=stated["beta_schedule"],
            timesteps=stated["num_train_timesteps"],
            beta_start=stated["beta_start"],
            beta_end=stated["beta_end"],
        )
    except ValidationError:
        return None
    ours_T = noise_schedule(_ScheduleAlone(schedule)).alphas_cumprod
    return schedule if _is_same_noise(ours_T, alpha_bar_T) else None


@dataclass(frozen=True)
class _ScheduleAlone:
    """A schedule as DiffusionSettings; ᾱ does not depend on the prediction type."""

    schedule: NoiseSchedule
    prediction_type: PredictionType = "epsilon"


def _noise_words(stated: dict[str, Any]) -> str:
    special = [key for key in CHANGES_OF_BETA if stated.get(key)]
    return ", ".join([f"beta_schedule {stated['beta_schedule']}", *special])


def _noise_text(alpha_bar_T: Tensor, compared_T: Tensor) -> str:
    """ᾱ at the time step where both differ most, or the number of steps if that differs."""
    if len(alpha_bar_T) != len(compared_T):
        return f"{len(alpha_bar_T)} timesteps"
    t = int((alpha_bar_T - compared_T).abs().argmax())
    return f"ᾱ {alpha_bar_T[t]:.4g} at t = {t}"


def _cut_words(limit: float | None) -> str:
    return "x0 never cut" if limit is None else f"x0 cut to ±{limit:g}"


def _as_yaml(schedule: NoiseSchedule) -> str:
    """The schedule as YAML."""
    return (
        f"{{growth: {schedule.growth}, timesteps: {schedule.timesteps}, beta_start: {schedule.beta_start:g}, "
        f"beta_end: {schedule.beta_end:g}}}"
    )
