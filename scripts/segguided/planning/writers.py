"""Who writes into a results folder: one Snakemake at a time, for two would delete each other's files.

Each running Snakemake keeps a small file in <results>/.writers. Snakemake's own locks lie in the folder it
runs in, so they know nothing of another copy of the pipeline with the same results; and the end of one run
of a folder removes the locks of all, so they do not keep a third one apart from the first either.
"""

import json
import os
import socket
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from segguided.files import write_text
from segguided.status.leftovers import processes, still_runs
from segguided.status.slurm_queue import queued_jobs

FOLDER = ".writers"
TOKEN = Path(".snakemake/segguided/id")  # tells two machines' folders of one name apart


@dataclass(frozen=True)
class Writer:
    """A Snakemake that writes, or wrote until it was killed."""

    host: str
    processes: str  # whose process ids its own is one of: a container has its own
    pid: int
    created: float  # when the process was, which tells it from a later one of the same id
    folder: str  # that it runs in
    token: str
    started: str

    @property
    def is_here(self) -> bool:
        """Whether its process, were it alive, could be seen from this one."""
        return (self.host, self.processes) == (socket.gethostname(), _namespace())


def enter(results: Path, folder: Path) -> Path:
    """Register this process, which runs in `folder`, as a writer of `results`; the file to `leave`.

    Raises ValueError, in one sentence, where another Snakemake writes there or may do so.
    """
    mine = _this(folder)
    path = results / FOLDER / f"{mine.host}-{mine.processes}-{mine.pid}.json"
    write_text(path, json.dumps(asdict(mine), indent=1) + "\n")
    for other in sorted(set(path.parent.glob("*.json")) - {path}):
        try:
            _refuse(results, other, mine)
        except ValueError:
            leave(path)
            raise
    return path


def leave(path: Path) -> None:
    """Be no writer any more."""
    path.unlink(missing_ok=True)
    with suppress(OSError):  # there are others, or there were just now
        path.parent.rmdir()


def _refuse(results: Path, path: Path, mine: Writer) -> None:
    """Raise ValueError for another writer; clear away what one that was killed left."""
    other = _read(path)
    if other is None:
        return  # it ended meanwhile
    killed = other.is_here and not still_runs(other.pid, other.created)
    if killed and not _works(Path(other.folder)):
        path.unlink(missing_ok=True)  # of this folder too: other machines could not tell that it is dead
        return
    if (other.folder, other.token) == (mine.folder, mine.token):
        if other.is_here and not killed and other.pid != mine.pid:
            raise ValueError(
                f"a Snakemake already works in {other.folder} (process {other.pid}, since {other.started}): "
                "wait until it has ended, or end it with Ctrl-C; a dry-run (-n) is possible meanwhile"
            )
        return  # of another machine it may be long dead: Snakemake's own locks keep the two apart
    if killed:
        raise ValueError(
            f"jobs of a killed Snakemake in {other.folder} still write into {results}; end them with "
            "`python scripts/resume.py` and its arguments there, or wait until they have ended"
        )
    gone = "" if other.is_here else f"; if that process is gone for sure, delete {path}"
    raise ValueError(
        f"{results} is being written by the Snakemake in {other.folder} (process {other.pid} on "
        f"{other.host}, since {other.started}), and two would delete each other's files: wait until it has "
        f"ended, or give this one results of its own (pathvars.results){gone}"
    )


def _works(folder: Path) -> bool:
    """Whether jobs of the pipeline in `folder` still run or wait, here or in SLURM's queue."""
    return folder.is_dir() and bool(processes(folder)[1] or queued_jobs(folder))


def _read(path: Path) -> Writer | None:
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Writer(**fields)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise ValueError(
            f"{path}, by which a Snakemake says that it writes there, cannot be read; if none does, delete it"
        ) from None


def _this(folder: Path) -> Writer:
    return Writer(
        host=socket.gethostname(),
        processes=_namespace(),
        pid=os.getpid(),
        created=psutil.Process().create_time(),
        folder=str(folder.resolve()),
        token=_token(folder),
        started=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
    )


def _namespace() -> str:
    """The number of the kernel's table of process ids that this process is in; empty where there is none."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _token(folder: Path) -> str:
    path = folder / TOKEN
    if not path.is_file():
        write_text(path, f"{uuid.uuid4().hex}\n")
    return path.read_text(encoding="utf-8").strip()
