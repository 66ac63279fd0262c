"""Tables and lists in text files, read strictly: a line is a row, and ambiguous text is refused."""

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
# Characters that only some programs take for the end of a line, and characters that no text holds.
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
QUOTED = "close it and double the quotes inside, put no tab or line break in a cell, or remove the quote"


class TableRow(dict[str, str]):
    """A row's cells by column, with its file and line."""

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
    """The names of the columns in their order, the rows, and the comments without their #."""

    columns: tuple[str, ...]
    rows: list[TableRow]
    comments: list[str]


def read_table(
    path: Path, delimiter: str = "\t", needs: Collection[str] = (), comments: bool = False
) -> Table:
    """The table in a text file (UTF-8, or UTF-16 with its mark) whose first line names the columns.

    Quotes are those of spreadsheets: around a whole cell, and doubled inside it. Blank lines are skipped, and
    with `comments` also lines that start with #. Raises ValueError, with file and line, where a column of
    `needs` is absent, and for a table that could be read in two ways: a cell with a tab or line break, an
    open quote, a column that appears twice or has no name, a row of another length.
    """
    remarks: list[str] = []
    lines = list(_cells(path, delimiter, remarks if comments else None))
    if not lines:
        raise ValueError(f"{path}: {_expected(delimiter, needs)}, but it holds no row; correct the file")
    header_line, columns = lines[0]
    _check_header(f"{path}, line {header_line}", columns, delimiter, needs)
    rows = [_row(path, number, cells, columns) for number, cells in lines[1:]]
    for row in rows:
        row.pop("", None)
    return Table(tuple(name for name in columns if name), rows, remarks)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without line ends: LF, CR LF, or CR alone where the file has no LF.

    Raises ValueError for what is no plain file, too large or no text, for control characters, and for a
    damaged file of this pipeline.
    """
    text = _decoded(path, _bytes_of(path)).replace("\r\n", "\n")
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")  # as old Macs end a line
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        _check_line(f"{path}, line {number}", line)
    return lines[:-1] if lines[-1] == "" else lines


def _bytes_of(path: Path) -> bytes:
    """The bytes of a plain file. Nothing else is opened: a pipe would wait, and a device never ends."""
    try:
        _check_plain_file(path)
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror or error}); name an existing text file (UTF-8)"
        ) from error
    if place_of(path):  # a file of this pipeline; a checksum beside a user's file is the user's own
        check_listed(path, content)
    return content


def _check_plain_file(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
        raise ValueError(f"{path}: expected a text file, but it is {what}; name a file")
    if status.st_size > LARGEST_FILE:
        raise ValueError(
            f"{path}: expected a text file of at most {LARGEST_FILE >> 20} MB, got "
            f"{status.st_size / 1e6:,.0f} MB; name another file"
        )


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
    if match := UNSEEN.search(line):
        raise ValueError(
            f"{place}: holds the character U+{ord(match[0]):04X}, which is no text or breaks lines in some "
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
        raise ValueError(f"{place}: a quoted cell holds a tab, which separates cells; {QUOTED}")
    return cells


def _check_header(place: str, names: Sequence[str], delimiter: str, needs: Collection[str]) -> None:
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"{place}: the column {', '.join(repeated)} appears there twice; keep one of them, or rename it"
        )
    for name in names:
        if name != name.strip() or not name.isprintable():
            raise ValueError(
                f"{place}: the column name {name!a} begins or ends with a space, or holds an invisible "
                "character; write it again"
            )
    missing = sorted(set(needs) - set(names))
    if missing:
        raise ValueError(
            f"{place}: {_expected(delimiter, needs)}, got {', '.join(map(repr, names))[:300]}; "
            f"add {', '.join(missing)}, or name another file"
        )


def _expected(delimiter: str, needs: Collection[str]) -> str:
    columns = f" with the column{'s' if len(needs) > 1 else ''} {', '.join(sorted(needs))}" if needs else ""
    return f"expected a {NAMES[delimiter]} table{columns}"


def _row(path: Path, number: int, cells: Sequence[str], columns: Sequence[str]) -> TableRow:
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
            f"{place}: '{unnamed[0][:40]}' is in a column without a name; name the column in the header"
        )
    return TableRow(zip(columns, cells, strict=True), path, number)
