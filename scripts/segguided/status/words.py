"""Numbers and times as people read them."""

from datetime import datetime

MINUTE = 60
HOUR = 3600
DAY = 86400


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 2 * MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def ago(seconds: float) -> str:
    """`12 s ago`, or `just now`."""
    return "just now" if seconds < 2 else f"{duration(seconds)} ago"


def moment(time: float | None) -> str:
    """Local time, with the day; `an unknown time` for None."""
    return f"{datetime.fromtimestamp(time):%d %b %H:%M}" if time else "an unknown time"


def hours(value: float) -> str:
    """Hours with two decimals, from 10 with one, from 1,000 with none."""
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"


def number(value: float | None) -> str:
    """Three significant digits; `nan` for None."""
    return "nan" if value is None else f"{value:.3g}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """`1 job`, `2 jobs`."""
    return f"{value} {noun if value == 1 else plural or noun + 's'}"


def clock(time: float) -> str:
    """Local time to the second, with the day."""
    return f"{datetime.fromtimestamp(time):%d %b %H:%M:%S}"
