"""Paths in the configuration: those that neither Snakemake nor a command line can take are refused."""

import re
from typing import Annotated

from pydantic import AfterValidator

LONGEST_NAME = 64  # of a dataset or a model: several together name a folder of a cluster's logs
MOST_BYTES = 1000  # of a path, to which rules add some 300: systems end at 4096, some tools earlier
MOST_NAME_BYTES = 255  # of each folder in it, on all usual file systems
OWN = re.compile(r"<[a-z][a-z0-9_]*>")  # Snakemake's own: <results>
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def usable_path(path: str) -> str:
    """The same path. Raises ValueError for one that Snakemake or a script would take for something else."""
    wrong = next((told for told, found in _faults(path) if found), None)
    if wrong:
        shown = repr(path if len(path) <= 60 else f"{path[:57]}...")
        raise ValueError(f"the path {shown} {wrong}")
    return path


def _faults(path: str) -> list[tuple[str, bool]]:
    """What may be wrong with a path and what to do, and whether it is."""
    names = [len(name.encode(errors="replace")) for name in path.split("/")]
    return [
        ("is empty; name a folder or file", not path.strip()),
        ("holds a line break or another control character; rename it", bool(CONTROL.search(path))),
        ("holds braces, which Snakemake takes for wildcards; rename it", "{" in path or "}" in path),
        ("holds <…>, which Snakemake takes for a place of its own; rename it", bool(OWN.search(path))),
        (
            f"begins with '{path[:1]}', which is no path to a command; write ./ before it",
            path[:1] in "-@",
        ),
        ("begins with '~', which stands for no folder here; write the whole path", path[:1] == "~"),
        (
            f"has a name of {max(names)} bytes, of which file systems take {MOST_NAME_BYTES}; shorten it",
            max(names) > MOST_NAME_BYTES,
        ),
        (
            f"has {sum(names) + len(names) - 1} bytes; keep to {MOST_BYTES}, for folders and names are added",
            sum(names) + len(names) - 1 > MOST_BYTES,
        ),
    ]


UsablePath = Annotated[str, AfterValidator(usable_path)]
