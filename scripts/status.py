"""Show what the pipeline in this folder does: jobs, steps, losses, time left, failures, GPU hours."""

import argparse
import contextlib
import time
from pathlib import Path

import segguided.missing_packages  # noqa: F401 - first, see there

from rich.console import Console
from rich.live import Live

from segguided.cli import run
from segguided.files import write_text
from segguided.status.follow import Watcher
from segguided.status.page import page
from segguided.status.terminal import rendered
from segguided.status.view import View


def status(folder: Path, results: str | None, watch: float | None, html: Path | None) -> None:
    """Look once, or every `watch` seconds until Ctrl-C; on the terminal, and with `html` into that page."""
    watcher = Watcher(folder, results)
    if watch is None:
        Console().print(rendered(look(watcher, None, html)))
    else:
        with contextlib.suppress(KeyboardInterrupt):
            keep_looking(watcher, watch, html)


def keep_looking(watcher: Watcher, seconds: float, html: Path | None) -> None:
    """Show the view of now, again and again."""
    console = Console()
    view = rendered(look(watcher, seconds, html))
    with Live(view, console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            time.sleep(seconds)
            live.update(rendered(look(watcher, seconds, html)), refresh=True)


def look(watcher: Watcher, watch: float | None, html: Path | None) -> View:
    """The view of now; it is also written as the page `html`."""
    view = watcher.look()
    if html:
        write_text(html, page(view, watch))
    return view


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(), help="where snakemake runs; default: here")
    parser.add_argument("--results", help="results whose hours are summed; default: those of the newest run")
    parser.add_argument(
        "--watch", type=float, nargs="?", const=5.0, metavar="SECONDS", help="look again so often; default: 5"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page that reloads itself")
    return parser


if __name__ == "__main__":
    run(status, command_line())
