"""Pictures are written whole, among thousands as fast as alone, and what killed calls left is removed."""

import os
import subprocess
import sys

import numpy as np
import pytest

from segguided.app import picture_files
from segguided.app.picture_files import remove_leftovers, write_picture
from segguided.data.formats.png import read_grey

PIXELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_a_picture_is_read_as_it_was_written_and_nothing_else_is_there(tmp_path):
    write_picture(tmp_path / "images/p.1_seed0.png", PIXELS)
    assert np.array_equal(read_grey(tmp_path / "images/p.1_seed0.png"), PIXELS)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["p.1_seed0.png"]


def test_no_other_picture_is_looked_at(tmp_path, monkeypatch):
    """A folder of thousands would be listed for each of its pictures."""
    monkeypatch.setattr(type(tmp_path), "iterdir", lambda _path: pytest.fail("the folder was listed"))
    write_picture(tmp_path / "a.png", PIXELS)
    assert (tmp_path / "a.png").stat().st_size > 0


def test_a_picture_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    write_picture(tmp_path / "a.png", PIXELS)
    before = (tmp_path / "a.png").read_bytes()

    def fail(path, _pixels):
        path.write_bytes(before[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(picture_files, "write_pixels", fail)
    with pytest.raises(OSError, match=r"no room to write .*a\.png"):
        write_picture(tmp_path / "a.png", PIXELS + 1)
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_only_what_nobody_writes_any_more_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living = os.getppid()
    for name in (
        f".a.1.{dead.pid}.partial.png",
        f".b.{living}.partial.png",
        ".notes.png",
        "a.1.png",
        "c.png",
    ):
        (tmp_path / name).write_bytes(b"x")
    remove_leftovers(tmp_path)
    kept = {f".b.{living}.partial.png", ".notes.png", "a.1.png", "c.png"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    remove_leftovers(tmp_path / "nowhere")
