"""The table of workflow/docs/cost.md that says what each rule needed, beside what it asks for."""

import re
from dataclasses import dataclass
from pathlib import Path

from support.miniature import ROOT
from support.rule_files import rule_sources

PAGE = ROOT / "workflow/docs/cost.md"
HEAD = "| rule | CPU seconds | peak GB, CPU | GB at full size | GB on the GPU | `mem_mb` | `gpu` |"
NOTHING = ""  # a cell without a number
GPU_GB = 48  # the smallest card on which the page says that config.yaml runs as it is


@dataclass(frozen=True)
class Row:
    """What one rule needed, in GB (10^9 bytes), and what it asks for. None: neither measured nor counted."""

    rule: str
    cpu_s: float | None  # of `make smoke-paper`, of the longest job
    peak_gb: float | None  # of `make smoke-paper`: the highest of its jobs
    full_gb: float | None  # of the machine, with all slices and a resume file: counted, or measured elsewhere
    gpu_gb: float | None  # reserved on an H100
    mem_mb: int
    gpu: int

    @property
    def needed_gb(self) -> float:
        """The most that is known of its memory."""
        return max(self.peak_gb or 0, self.full_gb or 0)

    def line(self) -> str:
        """The row as the page has it."""
        cells = (
            _cell(self.cpu_s, ",.0f"),
            _cell(self.peak_gb, ".2f"),
            _cell(self.full_gb),
            _cell(self.gpu_gb),
        )
        return f"| `{self.rule}` | {' | '.join(cells)} | {self.mem_mb} | {self.gpu or NOTHING} |"


def _cell(number: float | None, style: str = "g") -> str:
    return NOTHING if number is None else format(number, style)


def _number(cell: str) -> float | None:
    return float(cell.replace(",", "")) if cell else None


def asked(rule: str) -> tuple[int, int]:
    """Memory in MB and GPUs of the first attempt, as the rule's source says."""
    resources = rule_sources()[rule]["resources"]
    memory = re.search(r"mem_mb=more_each_attempt\((\d+)", resources)
    assert memory, f"{rule} asks for no memory"
    gpus = re.search(r"\bgpu=(\d+)", resources)
    return int(memory[1]), int(gpus[1]) if gpus else 0


def read_rows(page: Path = PAGE) -> dict[str, Row]:
    """The rows of the table, by rule."""
    _, found, rest = page.read_text().partition(HEAD + "\n")
    assert found, f"{page}: no table begins with {HEAD}"
    lines = rest.split("\n\n")[0].splitlines()[1:]
    return {row.rule: row for row in map(_row, lines)}


def _row(line: str) -> Row:
    rule, *cells, memory, gpus = (cell.strip() for cell in line.strip("|").split("|"))
    cpu_s, peak_gb, full_gb, gpu_gb = map(_number, cells)
    return Row(rule.strip("`"), cpu_s, peak_gb, full_gb, gpu_gb, int(memory), int(gpus or 0))


def shortfalls(rows: dict[str, Row]) -> list[str]:
    """A sentence for each rule that asks for less than it needs, or that the table quotes wrongly."""
    sentences = []
    for rule, row in rows.items():
        memory, gpus = asked(rule)
        if (memory, gpus) != (row.mem_mb, row.gpu):
            sentences.append(
                f"{rule} asks for {memory} MB and {gpus} GPUs, the table says {row.mem_mb} and {row.gpu}"
            )
        if memory * 1e6 < row.needed_gb * 1e9:
            sentences.append(f"{rule} needs {row.needed_gb} GB and asks for {memory} MB")
        if gpus * GPU_GB < (row.gpu_gb or 0):
            sentences.append(f"{rule} needs {row.gpu_gb} GB of GPUs and asks for {gpus} of {GPU_GB} GB")
    return sentences
