"""Tables and lists in text files, read strictly: a line is a row, and what has two meanings is refused."""

import csv
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segguided.seals import check_listed, place_of

LARGEST_FILE = 64 << 20  # bytes; a table of 100,000 patients takes some 30 MB
LONGEST_LINE = 100_000  # characters
NAMES = {"\t": "tab-separated", ",": "comma-separated"}
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# What some programs take for the end of a line and others do not, and what no text holds.
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
QUOTED = "close it and double the quotes inside, put no tab or line break in a cell, or take the quote away"


class Row(dict[str, str]):
    """A row's cells by column, and where it stands."""

    def __init__(self, cells: Iterable[tuple[str, str]], file: Path, line: int) -> None:
        super().__init__(cells)
        self.file = file
        self.line = line

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True)
class Table:
    """The rows, the names of the columns in their order, and the comments without their #."""

    columns: tuple[str, ...]
    rows: list[Row]
    comments: list[str]


def read_table(
    path: Path, delimiter: str = "\t", needs: Collection[str] = (), comments: bool = False
) -> Table:
    """The table in a text file (UTF-8, or UTF-16 with its mark) whose first line names the columns.

    Quotes are those of spreadsheets: around a whole cell, and doubled inside one. Blank lines are skipped,
    and with `comments` lines that start with #. Raises ValueError, with file and line, for what is no such
    table or could be read in two ways: a cell over several lines or with a tab, a quote that stays open, a
    column that comes twice or has no name, a row of another length; and where a column of `needs` is absent.
    """
    remarks: list[str] = []
    numbered = list(_cells(path, delimiter, remarks if comments else None))
    if not numbered:
        raise ValueError(f"{path}: {_expected(delimiter, needs)}, but it holds no row; mend the file")
    columns = _header(path, *numbered[0], delimiter, needs)
    rows = [_row(path, number, cells, columns) for number, cells in numbered[1:]]
    for row in rows:
        row.pop("", None)
    return Table(tuple(name for name in columns if name), rows, remarks)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without their ends; only LF, CR LF, or all CR ends one.

    Raises ValueError for what is no plain file, too large, no text, or holds characters that no line holds,
    and for a file of this pipeline that is damaged.
    """
    text = _decoded(path, _bytes_of(path)).replace("\r\n", "\n")
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")  # as old Macs end a line
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        _check_line(f"{path}, line {number}", line)
    return lines[:-1] if lines[-1] == "" else lines


def _bytes_of(path: Path) -> bytes:
    """What a plain file holds; nothing else is opened, for a pipe would wait and a device never ends."""
    try:
        told = path.stat()
        if not stat.S_ISREG(told.st_mode):
            what = "a folder" if stat.S_ISDIR(told.st_mode) else "a device or pipe"
            raise ValueError(f"{path}: expected a text file, but it is {what}; name a file")
        if told.st_size > LARGEST_FILE:
            raise ValueError(
                f"{path}: expected a text file of at most {LARGEST_FILE >> 20} MB, got "
                f"{told.st_size / 1e6:,.0f} MB; name another file"
            )
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror or error}); name an existing text file (UTF-8)"
        ) from error
    if place_of(path):  # of this pipeline; a checksum beside a file of the user's is the user's own
        check_listed(path, content)
    return content


def _decoded(path: Path, content: bytes) -> str:
    encoding = next((name for mark, name in BOMS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {number}: expected text in UTF-8, got the byte 0x{content[error.start]:02x} "
            f"({error.reason}); save the file as UTF-8"
        ) from error


def _check_line(place: str, line: str) -> None:
    if len(line) > LONGEST_LINE:
        raise ValueError(
            f"{place}: expected at most {LONGEST_LINE:,} characters in a line, got {len(line):,}; is a line "
            "break missing, or is it another file?"
        )
    if "\r" in line:
        raise ValueError(
            f"{place}: holds a carriage return that ends no line; save the file with one kind of line ends"
        )
    if found := UNSEEN.search(line):
        raise ValueError(
            f"{place}: holds the character U+{ord(found[0]):04X}, which is no text or breaks lines in some "
            "programs; remove it"
        )


def _cells(path: Path, delimiter: str, remarks: list[str] | None) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is neither blank nor a comment; comments go to `remarks`."""
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        if remarks is not None and line.startswith("#"):
            remarks.append(line[1:].strip())
            continue
        cells = _parsed(f"{path}, line {number}", line, delimiter)
        if remarks is not None and cells[0].startswith("#"):  # a comment that a spreadsheet put in quotes
            remarks.append(cells[0][1:].strip())
            continue
        yield number, cells


def _parsed(place: str, line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ValueError(
            f"{place}: a cell begins with a quote that does not close at its end ({error}); {QUOTED}"
        ) from None
    if any("\t" in cell for cell in cells):
        raise ValueError(f"{place}: a quoted cell holds a tab, which parts cells; {QUOTED}")
    return cells


def _header(
    path: Path, number: int, names: Sequence[str], delimiter: str, needs: Collection[str]
) -> Sequence[str]:
    place = f"{path}, line {number}"
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{place}: the column {', '.join(twice)} stands there twice; keep one of them, or rename it"
        )
    for name in names:
        if name != name.strip() or not name.isprintable():
            raise ValueError(
                f"{place}: the column name {name!a} begins or ends with a space, or holds a character "
                "that is not seen; write it anew"
            )
    lacking = sorted(set(needs) - set(names))
    if lacking:
        raise ValueError(
            f"{place}: {_expected(delimiter, needs)}, got {', '.join(map(repr, names))[:300]}; "
            f"add {', '.join(lacking)}, or name another file"
        )
    return names


def _expected(delimiter: str, needs: Collection[str]) -> str:
    columns = f" with the column{'s' if len(needs) > 1 else ''} {', '.join(sorted(needs))}" if needs else ""
    return f"expected a {NAMES[delimiter]} table{columns}"


def _row(path: Path, number: int, cells: Sequence[str], columns: Sequence[str]) -> Row:
    place = f"{path}, line {number}"
    if len(cells) != len(columns):
        raise ValueError(
            f"{place}: expected {len(columns)} cells as in the header, got {len(cells)} (the first is "
            f"'{cells[0][:40]}'); add or remove cells"
        )
    # The first column may be the numbers that pandas writes before each row.
    unnamed = [cell for cell, name in zip(cells[1:], columns[1:], strict=True) if not name and cell]
    if unnamed:
        raise ValueError(
            f"{place}: '{unnamed[0][:40]}' stands in a column without a name; name the column in the header"
        )
    return Row(zip(columns, cells, strict=True), path, number)
