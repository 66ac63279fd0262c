"""Numbers, times and the ends of logs, as people read them."""

import pytest

from segguided.status.tails import MOST_CHARACTERS, last_lines, tail
from segguided.status.words import ago, count, duration, hours, moment, number


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (59.6, "60 s"), (120, "2 min"), (3660, "1 h 01 min"), (86400 * 2 + 3600 * 4, "2 d 4 h")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_the_rest():
    assert (ago(0.5), ago(30)) == ("just now", "30 s ago")
    assert (hours(0.123), hours(12.34), hours(1234.5)) == ("0.12", "12.3", "1,234")
    assert (number(0.0123456), number(None)) == ("0.0123", "nan")
    assert (count(1, "job"), count(2, "job"), count(2, "index", "indices")) == (
        "1 job",
        "2 jobs",
        "2 indices",
    )
    assert moment(None) == "an unknown time"


def test_tail_of_what_is_missing_huge_or_a_progress_bar(tmp_path):
    path = tmp_path / "a.log"
    assert tail(path) == ""
    path.write_text("\n".join(f"line {i}" for i in range(100_000)) + "\n")
    assert tail(path, 2) == "line 99998\nline 99999"
    path.write_text("0 %\r50 %\r100 %\ndone\n")
    assert tail(path) == "100 %\ndone"
    path.write_bytes(b"\xff\xfe\n" + b"x" * 10_000 + b"the end")
    assert len(tail(path)) < 2 * MOST_CHARACTERS
    assert tail(path).endswith("the end")
    assert tail(tmp_path) == ""
    assert last_lines("") == ""
