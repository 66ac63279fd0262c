"""Show what the pipeline in this folder does: jobs, steps, losses, time left, failures, GPU hours."""

import argparse
import time
from pathlib import Path

from rich.console import Console
from rich.live import Live

from segguided.cli import framed
from segguided.files import write_text
from segguided.status.follow import Watcher
from segguided.status.page import page
from segguided.status.terminal import rendered

WATCH_SECONDS = 5.0


def status(folder: Path, results: str | None, watch: float | None, html: Path | None) -> None:
    """Look once, or every `watch` seconds until Ctrl-C; on the terminal, and with `html` into that page."""
    watcher, console = Watcher(folder, results), Console()
    view = watcher.look()
    if html:
        write_text(html, page(view, watch))
    if watch is None:
        console.print(rendered(view))
        return
    with Live(rendered(view), console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            time.sleep(watch)
            view = watcher.look()
            if html:
                write_text(html, page(view, watch))
            live.update(rendered(view), refresh=True)


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(), help="where snakemake runs; default: here")
    parser.add_argument("--results", help="results whose hours are summed; default: those of the newest run")
    parser.add_argument(
        "--watch", type=float, nargs="?", const=WATCH_SECONDS, metavar="SECONDS", help="look again that often"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page that reloads itself")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    try:
        status(a.folder, a.results, a.watch, a.html)
    except KeyboardInterrupt:
        if a.watch is None:
            raise


if __name__ == "__main__":
    framed(main)
