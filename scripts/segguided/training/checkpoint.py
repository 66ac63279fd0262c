"""Resume files: what an interrupted training needs to continue as if undisturbed, if it is the same run."""

import copy
import hashlib
import json
import logging
import mmap
import signal
import sys
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from segguided.cli import Interrupted
from segguided.data.slices import SliceSet
from segguided.files import atomic_path
from segguided.meaning import meaning_of
from segguided.seals import check_archive, seal_archive
from segguided.training import ranks
from segguided.training.resume_files import ASIDE
from segguided.training.snapshots import BackgroundWork, is_on_gpu, snapshot
from segguided.training.wall_time import stop_time

LOG = logging.getLogger("segguided")
# Why a save is due. A signal is named by its own number, which is between these two.
INTERVAL = 1
TIME_OVER = 1000


class Stateful(Protocol):
    """Anything that can be saved and restored."""

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs: tensors, numbers, strings, lists and dicts of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""


class Checkpoint:
    """The resume file of one run, written every `seconds`, and when a signal or the job's time asks to stop.

    It holds a fingerprint of settings, code and data; a run with another fingerprint does not continue it.
    When several processes train together, the first writes it and all read it, so that their number may
    change from one attempt to the next.
    """

    def __init__(self, path: Path, fingerprint: str, seconds: float = 600) -> None:
        self.path = path
        self.fingerprint = fingerprint
        self.seconds = seconds
        self._saved_at = time.monotonic()
        self._signal: int | None = None
        self._stop_time: float | None = None
        self._background = BackgroundWork()
        self._reason = 0  # why a save is due in any process, as a number from above; 0: it is not

    def listen(self) -> None:
        """From now on, save and stop at Ctrl-C, SIGTERM, SIGUSR1 and before a SLURM job's time is over."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._on_signal)
        self._stop_time = stop_time() if ranks.is_first() else None

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = number

    def load(self, learner: Stateful) -> dict[str, Any]:
        """Restore `learner` and return the progress saved with it; empty for a fresh start."""
        with ranks.in_turn():
            return self._load(learner)

    def _load(self, learner: Stateful) -> dict[str, Any]:
        if not self.path.exists():
            return {}
        initial_state = copy.deepcopy(learner.state_dict())  # optimisers hold nothing yet
        try:
            saved = self._read()
            if saved["fingerprint"] != self.fingerprint:
                return self._start_afresh("was made with other settings, code or data")
            learner.load_state_dict(saved["learner"])
            progress: dict[str, Any] = saved["progress"]
            LOG.info("resuming after step %d from %s", progress["step"], self.path)
        except (OSError, MemoryError, torch.OutOfMemoryError):
            raise  # the machine failed, not the file: a later attempt may continue from it
        except Exception as error:  # torch raises half a dozen types for damage
            learner.load_state_dict(initial_state)
            return self._start_afresh(f"cannot be continued ({_first_line(error)})")
        return progress

    def _read(self) -> dict[str, Any]:
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            check_archive(self.path, content)
        saved: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        return saved

    def _start_afresh(self, why: str) -> dict[str, Any]:
        """Keep the file under another name until the run is complete: the old settings can continue it."""
        self.path.replace(self._aside)
        LOG.warning(
            "%s %s: starting afresh; until the run is complete it is kept as %s",
            self.path,
            why,
            self._aside.name,
        )
        return {}

    @property
    def _aside(self) -> Path:
        return self.path.with_name(ASIDE)

    @property
    def due(self) -> bool:
        """Whether it is time to save: the interval is over, or the run is to stop.

        Processes that train together ask after the same steps, and all get the same answer.
        """
        self._background.check()
        self._reason = ranks.max_over_processes(self._own_reason())
        return self._reason > 0

    def _own_reason(self) -> int:
        """Why this process wants to save, or 0; only the first process keeps the time."""
        if self._signal is not None:
            return self._signal
        if self._stop_time is not None and time.monotonic() >= self._stop_time:
            return TIME_OVER
        if ranks.is_first() and time.monotonic() - self._saved_at >= self.seconds:
            return INTERVAL
        return 0

    @property
    def _stop_reason(self) -> str | None:
        if self._reason == TIME_OVER:
            return "the job's time is nearly over"
        return signal.Signals(self._reason).name if self._reason > INTERVAL else None

    def save(self, learner: Stateful, progress: dict[str, Any]) -> None:
        """Write the file. Raise Interrupted afterwards if `due` found that the run must stop.

        Of a training on a GPU the state is copied, and written in the background; the next save, `finish` and
        a stop wait for the file, and they or `due` raise its error.
        """
        reason = self._stop_reason
        state = {"fingerprint": self.fingerprint, "learner": learner.state_dict(), "progress": progress}
        if ranks.is_first():
            if reason is not None:
                self._finish_before_a_stop()
                self._write(state)
            else:
                self.finish()
                if is_on_gpu(state):
                    self._background.start(self._write, snapshot(state))
                else:
                    self._write(state)
        self._saved_at = time.monotonic()
        if reason is not None:
            ranks.wait_for_all()  # no process ends before the file is whole
            step = progress["step"]
            raise Interrupted(f"{reason}: saved after step {step} in {self.path}; the same command resumes")
        if self._stop_time is not None:
            self._stop_time = stop_time()

    def _write(self, state: dict[str, Any]) -> None:
        with atomic_path(self.path) as temporary:
            with temporary.open("wb") as file:  # its errors say what the disk lacks; torch's do not
                torch.save(state, file)
            seal_archive(temporary, self.path, {})

    def _finish_before_a_stop(self) -> None:
        """Wait for a save in the background; its error must not cost the state that is written next."""
        try:
            self.finish()
        except OSError as error:
            LOG.warning("an earlier checkpoint was not written: %s", _first_line(error))

    def finish(self) -> None:
        """Wait until a save in the background is in the file. Raises what went wrong with it."""
        self._background.finish()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def fingerprint(settings: Mapping[str, Any], data: Mapping[str, SliceSet]) -> str:
    """A digest of the settings, of the code of the library's loaded modules, and of the slices.

    Of slices names and pixels count; of code what `meaning` says: no comment, docstring or text of a message.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(module for module in sys.modules if module.startswith("segguided")):
        source = sys.modules[name].__file__
        if source:
            digest.update(f"{name}\0{meaning_of(Path(source))}\n".encode())
    for name, slices in sorted(data.items()):
        pixels = [zlib.crc32(a.data) for stack in slices.stacks for a in (stack.images_SHW, stack.masks_SHW)]
        missing = [[stack.patient, *stack.not_annotated] for stack in slices.stacks if stack.not_annotated]
        digest.update(json.dumps([name, slices.names, pixels, *missing]).encode())
    return digest.hexdigest()
