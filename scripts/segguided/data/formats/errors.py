"""Messages of errors begin with the file or folder that they are about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def errors_begin_with(path: Path) -> Iterator[None]:
    """Put `path` at the beginning of the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
