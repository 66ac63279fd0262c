"""What the user sees when a script fails."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segguided.cli import TRY_AGAIN, Interrupted, framed

SCRIPTS = Path(__file__).parents[1] / "scripts"


class StopError(Exception):
    """An exception that is neither the user's nor the system's mistake."""


def said(error: BaseException, capsys: pytest.CaptureFixture[str]) -> str:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        framed(main)
    assert capsys.readouterr().out == ""
    return str(caught.value.code)


SENTENCES = [
    (ValueError("expected 1, got 2"), "error: expected 1, got 2"),
    (ValueError("expected\n  1,\n\tgot 2\n"), "error: expected 1, got 2"),
    (ValueError(), "error: ValueError"),
    (OSError("no network"), "error: no network"),
    (OSError(errno.ENOSPC, "no room to write it"), "error: no room to write it"),
    (OSError(errno.ENOENT, os.strerror(errno.ENOENT), "a.npz"), "error: a.npz: No such file or directory"),
    (OSError(), "error: OSError"),
    (
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        "error: 'utf-8' codec can't decode byte",
    ),
]


@pytest.mark.parametrize(("error", "expected"), SENTENCES, ids=[sentence for _, sentence in SENTENCES])
def test_what_the_user_can_mend_is_one_line(
    error: Exception, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(error, capsys)
    assert text.startswith(expected)
    assert "\n" not in text


@pytest.mark.parametrize("error", [TypeError("a defect"), KeyError("x"), RuntimeError(), StopError()])
def test_defects_keep_their_traceback(error: BaseException) -> None:
    def main() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        framed(main)
    assert caught.value is error
    assert caught.traceback[-1].name == "main"


def test_an_interrupted_run_asks_to_be_repeated() -> None:
    def main() -> None:
        raise Interrupted("saved after step 3")

    with pytest.raises(SystemExit) as caught:
        framed(main)
    assert caught.value.code == TRY_AGAIN == 75


def test_ctrl_c_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(KeyboardInterrupt(), capsys)
    assert text.startswith("interrupted: nothing half-written")
    assert "\n" not in text


def test_success_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    framed(lambda: None)
    assert capsys.readouterr() == ("", "")


HOSTILE = {
    "colour": ("a\x1b[31mb", r"a\x1b[31mb"),
    "title of the window": ("\x1b]0;x\x07y", r"\x1b]0;x\x07y"),
    "one byte": ("a\x9b31mb", r"a\x9b31mb"),
    "direction": ("a\u202eb", r"a\u202eb"),
    "undecodable": ("a\udcffb", r"a\udcffb"),
    "login": ("https://u:s3cret@h/x", "https://***@h/x"),
    "foreign letters": ("Läsion 肝臓\tx", "Läsion 肝臓\tx"),
    "progress": ("10 %\r20 %", "10 %\r20 %"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_terminal_codes_and_no_logins_in_a_log(name: str) -> None:
    """Of messages, warnings and tracebacks alike."""
    text, shown = HOSTILE[name]
    script = (
        "import sys, warnings, logging\n"
        f"text = {text!r}\n"
        "from segguided.cli import LOG, framed\n"
        "def main():\n"
        "    LOG.info('%s', text)\n"
        "    print(text, file=sys.stderr)\n"
        "    warnings.warn(text)\n"
        "    raise (ValueError if 'x' in sys.argv else TypeError)(text)\n"
        "framed(main)\n"
    )
    for argument in ("x", "y"):
        command = [sys.executable, "-c", script, argument]
        environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        report = done.stderr.decode()
        assert report.count(shown.split("\t")[0] if argument == "x" else shown) >= 3
        assert "\x1b" not in report and "s3cret" not in report
