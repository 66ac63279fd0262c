"""Markdown tables that also read well in a terminal."""

import re
from collections.abc import Sequence

from rich.cells import cell_len

BAR = re.compile(r"(?<!\\)\|")  # an unescaped bar would begin another cell


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose pipes are aligned, also under letters of double width."""
    cells = [[BAR.sub(r"\|", cell) for cell in row] for row in (header, *rows)]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["| " + " | ".join(map(_padded, row, widths)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))
