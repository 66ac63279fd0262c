"""A child process that writes may go on; it is killed where it writes too little or takes too long."""

import os
import time
from pathlib import Path

import pytest

from segguided.data.download.watched import Limits, Silent, TooMuch, run_watched


def run(folder: Path, script: str, **changes: float) -> tuple[int, str]:
    limits = Limits(**{"silence_s": 0.4, "longest_s": 20, **changes})  # type: ignore[arg-type]
    done = run_watched(["bash", "-c", script, "", str(folder)], folder, os.environ, limits)
    return done.returncode, done.stderr


def test_code_and_report_come_back(tmp_path: Path) -> None:
    assert run(tmp_path, "echo seen; echo wrong >&2; exit 3") == (3, "wrong\n")


def test_a_long_report_blocks_nothing(tmp_path: Path) -> None:
    assert len(run(tmp_path, "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero")[1]) == 1_000_000


def test_writing_slowly_is_no_silence(tmp_path: Path) -> None:
    slowly = "for k in 1 2 3 4 5 6 7 8 9; do echo $k >> $1/file; sleep 0.1; done; mv $1/file $1/whole"
    assert run(tmp_path, slowly) == (0, "")
    assert (tmp_path / "whole").read_text().split() == list("123456789")


DRIP = "for k in 1 2 3 4 5 6 7 8 9; do printf x >> $1/deep/file; sleep 0.1; done"
FLOOD = "head -c 100000 /dev/zero > $1/deep/file; sleep 5"


@pytest.mark.parametrize(
    ("script", "error", "changes"),
    [
        (DRIP, Silent, {"least_bytes": 100}),
        (DRIP, TooMuch, {"most_bytes": 3}),
        (FLOOD, TooMuch, {"most_bytes": 99_999, "silence_s": 2}),
        (FLOOD, Silent, {"most_bytes": 100_000}),
    ],
)
def test_too_few_and_too_many_bytes(
    tmp_path: Path, script: str, error: type[Exception], changes: dict[str, float]
) -> None:
    (tmp_path / "deep").mkdir()
    with pytest.raises(error):
        run(tmp_path, script, **changes)


@pytest.mark.parametrize(
    ("error", "limits"), [(Silent, {"silence_s": 0.3}), (TimeoutError, {"longest_s": 0.3})]
)
def test_the_child_is_killed(tmp_path: Path, error: type[Exception], limits: dict[str, float]) -> None:
    start = time.monotonic()
    with pytest.raises(error):
        run(tmp_path, "echo $$ > $1/pid; exec sleep 60", **limits)
    assert time.monotonic() - start < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
