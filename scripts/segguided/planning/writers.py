"""Who writes into a results folder: one Snakemake at a time, because two would delete each other's files.

Each running Snakemake keeps a small file in <results>/.writers. Snakemake's own locks are not enough: they
are in the folder where it runs, so another copy of the pipeline with the same results does not see them. And
when one run of a folder ends, it removes the locks of all runs there.
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
TOKEN = Path(".snakemake/segguided/id")  # a random text: folders of one name on two machines differ in it


@dataclass(frozen=True)
class Writer:
    """A Snakemake that writes, or wrote until it was killed."""

    host: str
    processes: str  # the table of process ids that `pid` is from: a container has its own
    pid: int
    created: float  # when the process began: a later process may have the same id
    folder: str  # where it runs
    token: str
    started: str

    @property
    def is_here(self) -> bool:
        """Whether its process can be seen from here if it is alive."""
        return (self.host, self.processes) == (socket.gethostname(), _namespace())


def register_writer(results: Path, folder: Path) -> Path:
    """Register this process, which runs in `folder`, as a writer of `results`.

    Returns the file to give to `unregister_writer`. Raises ValueError, in one sentence, if another Snakemake
    writes there or may do so.
    """
    writer = _this_process(folder)
    path = results / FOLDER / f"{writer.host}-{writer.processes}-{writer.pid}.json"
    write_text(path, json.dumps(asdict(writer), indent=1) + "\n")
    for neighbour in sorted(set(path.parent.glob("*.json")) - {path}):
        try:
            _refuse(results, neighbour, writer)
        except ValueError:
            unregister_writer(path)
            raise
    return path


def unregister_writer(path: Path) -> None:
    """Stop being a writer: delete the file."""
    path.unlink(missing_ok=True)
    with suppress(OSError):  # the folder is not empty: another Snakemake writes there
        path.parent.rmdir()


def _refuse(results: Path, path: Path, writer: Writer) -> None:
    """Raise ValueError if the file `path` is of another writer; delete it if that one was killed."""
    neighbour = _read(path)
    if neighbour is None:
        return  # it ended meanwhile
    killed = neighbour.is_here and not still_runs(neighbour.pid, neighbour.created)
    if killed and not _has_jobs(Path(neighbour.folder)):
        # Also if it is of this folder: other machines cannot see that it is dead.
        path.unlink(missing_ok=True)
    elif (neighbour.folder, neighbour.token) == (writer.folder, writer.token):
        _refuse_same_folder(neighbour, writer, killed)
    elif killed:
        raise ValueError(
            f"jobs of a killed Snakemake in {neighbour.folder} still write into {results}; end them with "
            "`python scripts/resume.py` and its arguments there, or wait until they have ended"
        )
    else:
        _refuse_other_folder(results, path, neighbour)


def _refuse_same_folder(neighbour: Writer, writer: Writer, killed: bool) -> None:
    """Raise ValueError for a Snakemake of this folder that is alive.

    One of another machine may be dead for a long time; Snakemake's own locks keep the two apart.
    """
    if neighbour.is_here and not killed and neighbour.pid != writer.pid:
        raise ValueError(
            f"a Snakemake already works in {neighbour.folder} (process {neighbour.pid}, since "
            f"{neighbour.started}): wait until it has ended, or end it with Ctrl-C; a dry-run (-n) is "
            "possible meanwhile"
        )


def _refuse_other_folder(results: Path, path: Path, neighbour: Writer) -> None:
    """Raise ValueError for a Snakemake of another folder, which is alive or cannot be seen from here."""
    gone = "" if neighbour.is_here else f"; if that process is gone for sure, delete {path}"
    raise ValueError(
        f"{results} is being written by the Snakemake in {neighbour.folder} (process {neighbour.pid} on "
        f"{neighbour.host}, since {neighbour.started}), and two would delete each other's files: wait until "
        f"it has ended, or give this one results of its own (pathvars.results){gone}"
    )


def _has_jobs(folder: Path) -> bool:
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


def _this_process(folder: Path) -> Writer:
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
    """The number of the kernel's table of process ids that this process is in; empty without such a table."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _token(folder: Path) -> str:
    path = folder / TOKEN
    if not path.is_file():
        write_text(path, f"{uuid.uuid4().hex}\n")
    return path.read_text(encoding="utf-8").strip()
