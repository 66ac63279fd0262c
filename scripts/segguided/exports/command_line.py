"""An option of the command line that is given once for each split."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class FilesBySplit(argparse.Action):
    """Gathers `--option SPLIT FILE…`, given once a split, in a mapping from splits to their files.

    With nargs=2 a split has one file, not a list.
    """

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        """Add one occurrence of the option to the mapping."""
        split, *files = list(values or ())
        paths = [Path(file) for file in files]
        of_other_splits = getattr(namespace, self.dest)
        of_split = paths[0] if self.nargs == 2 else paths
        setattr(namespace, self.dest, {**of_other_splits, split: of_split})
