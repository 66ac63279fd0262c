"""What the user sees when a script fails."""

import errno
import os

import pytest

from segguided.cli import TRY_AGAIN, Interrupted, run


class StopError(Exception):
    """An exception that is neither the user's nor the system's mistake."""


def said(error: BaseException, capsys: pytest.CaptureFixture[str]) -> str:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        run(main)
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
        run(main)
    assert caught.value is error
    assert caught.traceback[-1].name == "main"


def test_an_interrupted_run_asks_to_be_repeated() -> None:
    def main() -> None:
        raise Interrupted("saved after step 3")

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == TRY_AGAIN == 75


def test_ctrl_c_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(KeyboardInterrupt(), capsys)
    assert text.startswith("interrupted: nothing half-written")
    assert "\n" not in text


def test_success_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda: None)
    assert capsys.readouterr() == ("", "")
