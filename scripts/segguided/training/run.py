"""A training run on disk: its command line, its resume file, and what it leaves when it is done."""

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from segguided.cli import slices_parser
from segguided.data.slices import SliceSet
from segguided.devices import device_name
from segguided.training import ranks
from segguided.training.attempts import NAME, Attempts
from segguided.training.checkpoint import Checkpoint, fingerprint
from segguided.training.loop import Batches, Cost, Learner, Plan, fit
from segguided.training.resume_files import RESUME
from segguided.training.storage import save_network

CHECKPOINT_SECONDS = 600.0


class FinishedLearner(Learner, Protocol):
    """A learner that gives its network away when it is done."""

    def finished(self) -> nn.Module:
        """The network to keep; called once, after training."""


def training_entry(cost: Cost) -> dict[str, Any]:
    """What config.json tells of a run's cost."""
    return {"training": asdict(cost)}


def train_to_files(
    learner: FinishedLearner,
    batches: Batches,
    plan: Plan,
    description: Mapping[str, Any],
    data: Mapping[str, SliceSet],
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    *,
    network: nn.Module | None = None,
    told: Callable[[Cost], dict[str, Any]] = training_entry,
) -> None:
    """Train to the end of `plan` and write `output` (safetensors), config.json and history.csv beside it.

    attempts.json there tells how far it is and what it cost, see Attempts. The resume file stays: who runs
    this script again gets the same bytes at once, until Snakemake has accepted them and deletes it.

    `description` (with the `seed`) and the slices `data` say what the run is: a resume file of another one is
    not continued. `network` is saved in place of the learner's own where it is only a part of it; `told` adds
    the cost to config.json.
    """
    checkpoint = Checkpoint(output.with_name(RESUME), fingerprint(description, data), checkpoint_seconds)
    history = output.with_name("history.csv")
    with recorded(output, plan, batches.device) as attempts:
        cost = fit(learner, batches, plan, description["seed"], checkpoint, history, attempts)
        finished = learner.finished()
        if ranks.is_first():
            preparation = data["train"].preparation
            origin = {"preparation": preparation} if preparation else {}
            save_network(network or finished, output, {**description, **origin, **told(cost)})


def recorded(output: Path, plan: Plan, device: torch.device) -> AbstractContextManager[Attempts | None]:
    """The record of attempts beside `output`; of processes that train together the first alone keeps it."""
    if not ranks.is_first():
        return nullcontext()
    gpus = 0 if device.type == "cpu" else ranks.count()
    return Attempts(output.with_name(NAME), plan.steps, plan.batch_size, device_name(device), gpus)


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line that training scripts share: slices, seed, threads, GPUs, when to save, output."""
    parser = slices_parser(description)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="slice files to train on")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=1, help="of this node, among which each batch is shared")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=CHECKPOINT_SECONDS,
        help="time between resume checkpoints",
    )
    parser.add_argument("--output", type=Path, required=True, help="model.safetensors to write")
    return parser
