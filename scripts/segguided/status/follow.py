"""A pipeline's folder, looked at once or again and again: journals are read on, not anew."""

from pathlib import Path

from segguided.status.hours import hours_by_rule
from segguided.status.run import JournalReader, journals
from segguided.status.surroundings import look
from segguided.status.view import View, view_of


class Watcher:
    """Looks at `folder`, where Snakemake runs; `results` overrides where the newest run puts its results."""

    def __init__(self, folder: Path, results: str | None = None) -> None:
        self.folder, self.results = folder.resolve(), results
        self._readers: dict[Path, JournalReader] = {}

    def look(self) -> View:
        """The view of this moment."""
        runs = [self._readers.setdefault(path, JournalReader(path)).read() for path in journals(self.folder)]
        run = runs[-1] if runs else None
        results = self.results or (run.results if run else "results")
        hours = hours_by_rule(self.folder, results, [one for one in runs if one.results == results])
        return view_of(run, look(self.folder, run), self.folder, hours)
