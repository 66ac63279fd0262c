"""Paths in the configuration: those that Snakemake or a command line would misread are refused."""

import re
from typing import Annotated

from pydantic import AfterValidator

LONGEST_NAME = 64  # of a dataset or a model: several together name a folder of a cluster's logs
MOST_BYTES = 1000  # of a path; rules add some 300. Systems allow 4096, some tools fewer
MOST_NAME_BYTES = 255  # of each folder in it, on all usual file systems
OWN = re.compile(r"<[a-z][a-z0-9_]*>")  # Snakemake's own: <results>
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def usable_path(path: str) -> str:
    """The same path. Raises ValueError for one that Snakemake or a script would take for something else."""
    for fault, applies in _faults(path):
        if applies:
            shown = repr(path if len(path) <= 60 else f"{path[:57]}...")
            raise ValueError(f"the path {shown} {fault}")
    return path


def _faults(path: str) -> list[tuple[str, bool]]:
    """Each fault that a path may have, with what to do, and whether this path has it."""
    name_bytes = [len(name.encode(errors="replace")) for name in path.split("/")]
    path_bytes = sum(name_bytes) + len(name_bytes) - 1
    return [
        ("is empty; name a folder or file", not path.strip()),
        ("holds a line break or another control character; rename it", bool(CONTROL.search(path))),
        ("holds braces, which Snakemake takes for wildcards; rename it", "{" in path or "}" in path),
        ("holds <…>, which Snakemake replaces by a path of its own; rename it", bool(OWN.search(path))),
        (
            f"begins with '{path[:1]}', which commands take for an option; write ./ before it",
            path[:1] in "-@",
        ),
        ("begins with '~', which is not replaced by a folder here; write the whole path", path[:1] == "~"),
        (
            f"has a name of {max(name_bytes)} bytes, but file systems allow {MOST_NAME_BYTES}; shorten it",
            max(name_bytes) > MOST_NAME_BYTES,
        ),
        (
            f"has {path_bytes} bytes; keep to {MOST_BYTES}, because folders and names are added",
            path_bytes > MOST_BYTES,
        ),
    ]


UsablePath = Annotated[str, AfterValidator(usable_path)]
