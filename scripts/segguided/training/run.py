"""A training run: its command line, what every run is made of, and the files it leaves when it is done."""

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from segguided.cli import add_computing_options, slices_parser
from segguided.config.models.init_from import InitFrom
from segguided.config.models.training import TrainingLength
from segguided.data.slices import SliceSet
from segguided.devices import device_name, pick_device
from segguided.training import ranks
from segguided.training.attempts import ATTEMPTS_FILE, Attempts
from segguided.training.checkpoint import Checkpoint, fingerprint
from segguided.training.event_files import EVENTS, EventFiles
from segguided.training.loop import Batches, Cost, Learner, Observer, Plan, fit
from segguided.training.preview_files import PREVIEWS
from segguided.training.previews import ImagesOf, Previews
from segguided.training.resume_files import RESUME
from segguided.training.storage import save_network
from segguided.training.watching import add_watching, current_watch

CHECKPOINT_SECONDS = 600.0


class FinishedLearner(Learner, Protocol):
    """A learner that hands over its network after training."""

    def finished_network(self) -> nn.Module:
        """The network to keep; called once, after training."""


def training_cost(cost: Cost) -> dict[str, Any]:
    """The part of config.json that says what the run cost."""
    return {"training": asdict(cost)}


@dataclass(frozen=True)
class TrainingRun:
    """What every training run has, whatever it trains: slices, plan, device, seed and where it writes."""

    data: SliceSet
    plan: Plan
    device: torch.device
    seed: int
    output: Path  # model.safetensors
    checkpoint_seconds: float = CHECKPOINT_SECONDS  # between two saves of the resume file

    @classmethod
    def from_settings(
        cls, data: SliceSet, length: TrainingLength, seed: int, output: Path, checkpoint_seconds: float
    ) -> "TrainingRun":
        """A run over `data` on this machine's device, as long as the settings say."""
        return cls.from_plan(data, Plan.from_settings(length, len(data)), seed, output, checkpoint_seconds)

    @classmethod
    def from_plan(
        cls, data: SliceSet, plan: Plan, seed: int, output: Path, checkpoint_seconds: float
    ) -> "TrainingRun":
        """A run over `data` on this machine's device by a plan."""
        return cls(data, plan, pick_device(), seed, output, checkpoint_seconds)

    @property
    def steps(self) -> int:
        """Number of training steps."""
        return self.plan.steps

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return int(self.data.stacks[0].masks_SHW.shape[-1])

    def seed_first_weights(self) -> None:
        """Seed torch, so that the first weights of a network built next depend on the seed alone."""
        torch.manual_seed(self.seed)

    def train_to_files(
        self,
        learner: FinishedLearner,
        description: Mapping[str, Any],
        *,
        batches: Batches | None = None,
        validation: SliceSet | None = None,
        cost_entry: Callable[[Cost], dict[str, Any]] = training_cost,
        preview: ImagesOf | None = None,
    ) -> None:
        """Train to the end of the plan; write the weights, and config.json and history.csv beside them.

        attempts.json beside them says how far the run is and what it cost, see Attempts. The resume file
        stays until Snakemake has accepted the outputs: until then the same command writes the same bytes
        again at once.

        A resume file is continued only if `description`, the seed, the slices and the `validation` slices
        are the same. `batches` takes the place of the images, where a model learns from something else.
        `cost_entry` gives what config.json says of the cost. `preview` makes images of masks with the present
        weights, where the user asked for previews.
        """
        description = {**description, "seed": self.seed}
        checkpoint = self._checkpoint(description, validation)
        if batches is None:
            batches = Batches(self.data, self.device)
        history = self.output.with_name("history.csv")
        with self._record_attempts() as attempts:
            cost = fit(
                learner,
                batches,
                self.plan,
                self.seed,
                checkpoint,
                history,
                attempts,
                self._observers(preview),
            )
            network = learner.finished_network()
            if ranks.is_first():
                preparation = self.data.preparation
                origin = {"preparation": preparation} if preparation else {}
                save_network(network, self.output, {**description, **origin, **cost_entry(cost)})

    def _observers(self, preview: ImagesOf | None) -> list[Observer]:
        """Previews and event files, where they were asked for; of several processes the first has them."""
        watch = current_watch()
        if not ranks.is_first():
            return []
        event_files = EventFiles(self.output.with_name(EVENTS)) if watch.tensorboard else None
        observers: list[Observer] = [event_files] if event_files else []
        if watch.preview_every and preview:
            folder = self.output.with_name(PREVIEWS)
            show = event_files.show if event_files else None
            observers.append(Previews(folder, watch.preview_every, self.data, preview, show))
        return observers

    def _checkpoint(self, description: Mapping[str, Any], validation: SliceSet | None) -> Checkpoint:
        slices = {"train": self.data}
        if validation is not None:
            slices["validation"] = validation
        run = fingerprint(description, slices)
        return Checkpoint(self.output.with_name(RESUME), run, self.checkpoint_seconds)

    def _record_attempts(self) -> AbstractContextManager[Attempts | None]:
        """The record of attempts; of several processes that share a run, only the first keeps it."""
        if not ranks.is_first():
            return nullcontext()
        gpus = 0 if self.device.type == "cpu" else ranks.count()
        return Attempts(
            self.output.with_name(ATTEMPTS_FILE),
            self.plan.steps,
            self.plan.batch_size,
            device_name(self.device),
            gpus,
            deterministic=torch.are_deterministic_algorithms_enabled(),
        )


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line that training scripts share: slices, seed, threads, GPUs, when to save, output."""
    parser = slices_parser(description)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="slice files to train on")
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")
    add_computing_options(parser)
    parser.add_argument("--gpus", type=int, default=1, help="GPUs of this node that share each batch")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=CHECKPOINT_SECONDS,
        help="time between two saves of the resume file",
    )
    add_watching(parser)
    parser.add_argument("--output", type=Path, required=True, help="model.safetensors to write")
    return parser


def add_beginning(parser: argparse.ArgumentParser) -> None:
    """Add the options of trainings that may begin with trained weights."""
    parser.add_argument("--init-from", type=InitFrom.from_json, help="weights to begin with, JSON")
    parser.add_argument("--classes", nargs="+", default=(), help="names of the foreground classes, in order")
