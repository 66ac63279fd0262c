"""At the end of a failed run: which jobs failed, why, and what to do; their messages scrolled away."""

import sys
from collections.abc import Iterator
from pathlib import Path

from segguided.shown import printable
from segguided.status.run import JournalReader
from segguided.status.tails import last_lines
from segguided.status.view import Trouble, failures
from segguided.status.words import count

MOST_JOBS = 10
LINES = 3  # the whole log was shown when the job failed


def explain_failures(journal: Path | None) -> None:
    """Print to stderr what failed for good in the run of this journal. It never raises an error."""
    if journal is None:
        return
    try:
        text = "\n".join(explained(failures(JournalReader(journal).read(), Path.cwd())))
    except Exception as error:  # the run's own failure must stay what the user sees
        text = f"warning: the failures could not be summed up ({error!r})"
    if text:
        print(printable(text), file=sys.stderr)


def explained(troubles: list[Trouble]) -> Iterator[str]:
    """Lines for a terminal: each failed job, the end of its log, what to do."""
    if not troubles:
        return
    yield ""
    yield f"{count(len(troubles), 'job')} failed:"
    for trouble in troubles[:MOST_JOBS]:
        yield from _job(trouble)
    if len(troubles) > MOST_JOBS:
        yield f"\n  and {len(troubles) - MOST_JOBS} more: make status lists them"


def _job(trouble: Trouble) -> Iterator[str]:
    attempt = trouble.failure.attempt
    tries = f", attempt {attempt}" if attempt > 1 else ""
    yield ""
    yield f"  {trouble.job.name}{tries}: {trouble.diagnosis.what}"
    if trouble.others:
        yield f"    (and {count(trouble.others, 'job')} of its group with it)"
    yield from (f"    | {line}" for line in last_lines(trouble.lines, LINES).splitlines() if line.strip())
    yield from (f"    log: {path}" for path in trouble.failure.logs or trouble.job.logs)
    yield f"    → {trouble.diagnosis.advice}"
