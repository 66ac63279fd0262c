"""What a reader refuses: the message of its ValueError, checked to be one sentence about the file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from segguided.data.formats.dicom.series import read_series


def refusal(path: Path, read: Callable[..., object], *arguments: object) -> str:
    """The message of `read(path, *arguments)` without the path, whose folder holds words of the test's name.

    It must be one line that begins with the file, and no advice to delete anything.
    """
    with pytest.raises(ValueError) as caught:
        read(path, *arguments)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and "delete" not in message.lower()
    return message.removeprefix(str(path))


def series_refusal(folder: Path) -> str:
    """The message of reading the DICOM series in `folder`.

    It must be one line that begins with the folder or a file in it, and says what to do, but not to delete.
    """
    with pytest.raises(ValueError) as caught:
        read_series(folder)
    message = str(caught.value)
    assert message.startswith(str(folder)) and "\n" not in message and ";" in message
    assert "delete" not in message.lower()
    return message
