"""What a user asked to see of a training while it runs; none of it changes the training or its outputs."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from segguided.cli import Arguments, in_this_process
from segguided.training.event_files import summary_writer


@dataclass(frozen=True)
class Watch:
    """What is written beside the outputs of a training."""

    preview_every: int = 0  # steps between two preview images; 0: none
    tensorboard: bool = False  # whether TensorBoard's event files are written


NOTHING = Watch()
_WATCH: ContextVar[Watch] = ContextVar("watch", default=NOTHING)


def current_watch() -> Watch:
    """What was asked for in this process; nothing unless `watched` says so."""
    return _WATCH.get()


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """A context whose trainings write what `watch` asks for.

    Raises ValueError where event files are asked for and no library can write them.
    """
    if watch.tensorboard:
        summary_writer()
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def add_watching(parser: argparse.ArgumentParser) -> None:
    """Add the options that `in_watched_process` takes."""
    parser.add_argument(
        "--preview-every", type=int, default=0, help="steps between two preview images; 0: none"
    )
    parser.add_argument(
        "--tensorboard", type=int, choices=(0, 1), default=0, help="1: write TensorBoard's event files"
    )


def in_watched_process(function: Callable[..., None], arguments: Arguments) -> None:
    """Call `function` in this process; its trainings are watched as the options of `add_watching` say."""
    remaining = dict(arguments)
    watch = Watch(remaining.pop("preview_every", 0), bool(remaining.pop("tensorboard", 0)))
    with watched(watch):
        in_this_process(function, remaining)
