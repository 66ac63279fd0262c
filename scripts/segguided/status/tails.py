"""The last lines of log files. A file may be missing or huge, or hold a progress bar."""

from pathlib import Path

LINES = 25
MOST_BYTES = 32_768
MOST_CHARACTERS = 400  # of a line: command lines of a thousand files end up in logs


def tail(path: Path, lines: int = LINES) -> str:
    """The last `lines` lines of a file; empty if the file is missing, empty or unreadable."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return last_lines(text, lines)


def last_lines(text: str, lines: int = LINES) -> str:
    """The last `lines` lines of a text, each shortened. Of a progress bar only its last state remains."""
    shown = [line.rstrip().rsplit("\r", 1)[-1] for line in text.rstrip().split("\n")]
    return "\n".join(shorten(line) for line in shown[-lines:])


def shorten(line: str, most: int = MOST_CHARACTERS) -> str:
    """A line of at most `most` characters. The middle is left out, because the end of a command matters."""
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-(most // 2) :]}"
