"""The lock of a killed Snakemake: the message leads to the command that goes on."""

import logging
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from segguided.status.journal import FOLDER, Journal
from segguided.status.locked import advice, lead_to_resume

ARGUMENTS = [
    [],
    ["--profile", "slurm", "all"],
    ["all", "--config", "pathvars={'results': 'my results'}", 'models={a: {title: "it\'s"}}'],
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=range(len(ARGUMENTS)))
def test_a_lock_that_nobody_holds_leads_to_resume(tmp_path: Path, arguments: list[str]) -> None:
    text = advice(tmp_path, arguments)
    assert text.startswith(f"{tmp_path} is locked by a Snakemake that was killed: continue with\n\n")
    command = text.split("\n\n")[1].strip()
    assert shlex.split(command) == ["python", "scripts/resume.py", *arguments]


@pytest.mark.parametrize(
    ("host", "end", "elsewhere"),
    [("login2", None, True), ("login2", "failed", False), (None, None, False)],
)
def test_a_run_of_another_machine_is_to_be_looked_at_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str | None, end: str | None, elsewhere: bool
) -> None:
    journal = Journal()
    with monkeypatch.context() as patched:
        if host:
            patched.setattr("socket.gethostname", lambda: host)
        journal.begin("results", tmp_path / FOLDER)
    if end:
        journal.end(end)
    journal.close()
    assert ("look on login2, where it ran last, that it is gone, then" in advice(tmp_path, [])) == elsewhere


def test_a_snakemake_that_lives_is_named(tmp_path: Path) -> None:
    (tmp_path / "snakemake").write_text("input()")
    process = subprocess.Popen(
        [sys.executable, "snakemake", "all"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        text = advice(tmp_path, ["all"])
    finally:
        process.kill()
        process.communicate()
    assert f"another Snakemake (process {process.pid}) makes some of the same files" in text
    assert "resume.py" not in text


@pytest.mark.parametrize(
    ("exception", "changed"),
    [("LockException", True), ("WorkflowError", False), ("RuleException", False), (None, False)],
)
def test_other_errors_keep_their_words(caplog: pytest.LogCaptureFixture, exception, changed) -> None:
    logger = logging.getLogger("like-snakemakes")
    logger.addFilter(lead_to_resume)
    try:
        logger.error("100 %s of it", "words", extra={"event": "error", "exception": exception})
    finally:
        logger.removeFilter(lead_to_resume)
    assert ("scripts/resume.py" in caplog.text) == changed
    assert ("100 words of it" in caplog.text) != changed
