"""What to do about the lock of a killed Snakemake; it replaces Snakemake's own message."""

import logging
import shlex
import socket
import sys
from pathlib import Path

from segguided.status.leftovers import processes
from segguided.status.run import JournalReader, journals


def lead_to_resume(record: logging.LogRecord) -> bool:
    """A filter for Snakemake's logger: its error for a locked folder says what to do."""
    if getattr(record, "exception", None) == "LockException":
        record.msg = advice(Path.cwd(), sys.argv[1:])
        record.args = ()
    return True


def advice(folder: Path, arguments: list[str]) -> str:
    """Who holds the lock of `folder`, or held it, and how to go on with these arguments of Snakemake."""
    masters, _ = processes(folder)
    if masters:
        return (
            f"{folder} is locked: another Snakemake (process {masters[0].pid}) makes some of the same files "
            "there; wait until it has ended, or end it with Ctrl-C, then give the same command again"
        )
    command = shlex.join(["python", "scripts/resume.py", *arguments])
    host = _elsewhere(folder)
    first = f"look on {host}, where it ran last, that it is gone, then " if host else ""
    return (
        f"{folder} is locked by a Snakemake that was killed: {first}continue with\n\n    {command}\n\n"
        "which ends what it left running, unlocks the folder and goes on; nothing that is finished is lost"
    )


def _elsewhere(folder: Path) -> str:
    """The machine of the newest run if that run may still go on and it is not this machine; else empty."""
    paths = journals(folder)
    if not paths:
        return ""
    run = JournalReader(paths[-1]).read()
    return run.host if not run.end and run.host != socket.gethostname() else ""
