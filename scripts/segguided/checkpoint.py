"""Resume files: what an interrupted training run needs to continue bit for bit, and only where it fits."""

import hashlib
import json
import logging
import signal
import sys
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from segguided import ranks
from segguided.cli import Interrupted
from segguided.data.slices import SliceSet
from segguided.files import atomic_path

LOG = logging.getLogger("segguided")
INTERVAL = 1  # that it is over, among the signals that ask for a save; theirs are higher


class Stateful(Protocol):
    """Anything that can be saved and restored."""

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs: tensors, numbers, strings, lists and dicts of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""


class Checkpoint:
    """The resume file of one run, written every `seconds` and when a signal asks to stop.

    It carries a fingerprint of settings, code and data; a file with another one is not continued from. Of
    processes that train together the first writes it and all read it, so their number may change in between.
    """

    def __init__(self, path: Path, fingerprint: str, seconds: float = 600) -> None:
        self.path, self.fingerprint, self.seconds = path, fingerprint, seconds
        self._saved_at = time.monotonic()
        self._signal: int | None = None
        self._stop: int | None = None  # the signal that all processes know of

    def listen(self) -> None:
        """From now on Ctrl-C, SIGTERM and SIGUSR1 save and stop, instead of killing."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = number

    def load(self, learner: Stateful) -> dict[str, Any]:
        """Restore `learner` and return the progress saved with it; empty for a fresh start."""
        with ranks.in_turn():
            return self._load(learner)

    def _load(self, learner: Stateful) -> dict[str, Any]:
        if not self.path.exists():
            return {}
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises half a dozen types for a damaged file
            LOG.warning("%s cannot be read (%s): starting afresh", self.path, error)
            return {}
        if saved["fingerprint"] != self.fingerprint:
            LOG.warning("%s was made by other settings, code or data: starting afresh", self.path)
            return {}
        learner.load_state_dict(saved["learner"])
        progress: dict[str, Any] = saved["progress"]
        LOG.info("resuming after step %d from %s", progress["step"], self.path)
        return progress

    @property
    def due(self) -> bool:
        """Whether it is time to save: the interval is over, or a signal came to any process.

        Processes that train together ask after the same steps and get the same answer.
        """
        over = ranks.is_first() and time.monotonic() - self._saved_at >= self.seconds
        asked = ranks.highest(self._signal or (INTERVAL if over else 0))
        self._stop = asked if asked > INTERVAL else None
        return asked > 0

    def save(self, learner: Stateful, progress: dict[str, Any]) -> None:
        """Write the file; where `due` saw a signal, raise Interrupted."""
        state = {"fingerprint": self.fingerprint, "learner": learner.state_dict(), "progress": progress}
        if ranks.is_first():
            with atomic_path(self.path) as temporary:
                torch.save(state, temporary)
        self._saved_at = time.monotonic()
        if self._stop is not None:
            ranks.wait()  # none ends before the file is whole
            name = signal.Signals(self._stop).name
            step = progress["step"]
            raise Interrupted(f"{name}: saved after step {step} in {self.path}; the same command resumes")

    def remove(self) -> None:
        """Delete the file; the run is complete."""
        self.path.unlink(missing_ok=True)


def fingerprint(settings: Mapping[str, Any], data: Mapping[str, SliceSet]) -> str:
    """A digest of the settings, of this package's loaded source code, and of the slices: names and pixels."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(n for n in sys.modules if n.startswith("segguided")):
        source = sys.modules[name].__file__
        if source:
            digest.update(Path(source).read_bytes())
    for name, slices in sorted(data.items()):
        pixels = [zlib.crc32(a.data) for stack in slices.stacks for a in (stack.images_SHW, stack.masks_SHW)]
        digest.update(json.dumps([name, slices.names, pixels]).encode())
    return digest.hexdigest()
