"""Looks at a pipeline's folder, once or again and again: of a journal only the new lines are read."""

from pathlib import Path

from segguided.status.hours import hours_by_rule
from segguided.status.run import JournalReader, journals
from segguided.status.surroundings import look
from segguided.status.view import View, view_of


class Watcher:
    """Looks at `folder`, where Snakemake runs; `results` overrides where the newest run puts its results."""

    def __init__(self, folder: Path, results: str | None = None) -> None:
        self.folder = folder.resolve()
        self.results = results
        self._readers: dict[Path, JournalReader] = {}

    def look(self) -> View:
        """The view of now."""
        runs = [self._readers.setdefault(path, JournalReader(path)).read() for path in journals(self.folder)]
        run = runs[-1] if runs else None
        results = self.results or (run.results if run else "results")
        hours = hours_by_rule(self.folder, results, [known for known in runs if known.results == results])
        return view_of(run, look(self.folder, run), self.folder, hours)
