"""Files are whole or absent, whatever interrupts the writer."""

import ctypes
import errno
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segguided.files import atomic_path, json_text, sha256_of, write_table, write_text

SCRIPTS = Path(__file__).parents[1] / "scripts"


def run_python(code: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_the_target_appears_only_when_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "slices.npz"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".npz"
        temporary.write_bytes(b"half")
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError("bad"), OSError(errno.EIO, "disk"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_new_and_the_old_target(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "history.csv"
    target.write_text("old")
    with pytest.raises(type(error)), atomic_path(target) as temporary:
        temporary.write_text("new")
        raise error
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_writer_leaves_no_target(tmp_path: Path) -> None:
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from segguided.files import atomic_path
        with atomic_path(Path(sys.argv[1])) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = run_python(code, tmp_path / "model.safetensors")
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "model.safetensors").exists()
    write_text(tmp_path / "model.safetensors", "whole")  # what the killed writer left is in nobody's way
    assert (tmp_path / "model.safetensors").read_text() == "whole"


FILLING = """if True:
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    from segguided.cli import framed
    from segguided.data.formats.npz import write_npz
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if sys.argv[2] != "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    framed(lambda: write_npz(Path(sys.argv[1]), images=np.ones((64, 64, 64), np.uint8)))
"""


def assert_no_room(done: "subprocess.CompletedProcess[str]", target: Path) -> None:
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"error: no room to write {target} (")
    assert "free some space and run the same command again, nothing half-written was left" in done.stderr
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("limit", [100, 70_000])
def test_a_file_that_may_not_grow_fails_in_one_sentence(tmp_path: Path, limit: int) -> None:
    assert_no_room(run_python(FILLING, tmp_path / "p.npz", str(limit)), tmp_path / "p.npz")


def test_a_full_disk_fails_in_one_sentence(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(tmp_path), b"tmpfs", 0, b"size=65536"):
        pytest.skip("mounting a small file system is not permitted here")
    try:
        assert_no_room(run_python(FILLING, tmp_path / "p.npz", "0"), tmp_path / "p.npz")
    finally:
        libc.umount(os.fsencode(tmp_path))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_found_full_on_flushing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no room to write") as caught:
        write_text(tmp_path / "a.txt", "text")
    assert caught.value.errno == code
    assert not list(tmp_path.iterdir())


def test_tables_and_json_are_deterministic(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", [{"patient": "p, 1", "dice": 0.5}, {"dice": None, "patient": "ü"}])
    assert (tmp_path / "a.csv").read_bytes() == 'patient,dice\n"p, 1",0.5\nü,\n'.encode()
    text = json_text(tmp_path / "a.json", {"b": 1, "a": [0.1, None]})
    assert text == json_text(tmp_path / "a.json", {"a": [0.1, None], "b": 1})
    assert text.endswith("}\n")


@pytest.mark.parametrize("row", [{"a": 1}, {"a": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}])
def test_rows_with_other_columns_are_refused(tmp_path: Path, row: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"expected rows with the columns \['a', 'b'\], got"):
        write_table(tmp_path / "a.csv", [{"a": 1, "b": 2}, row])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_holds_no_nan(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match=r"a\.json: JSON holds no NaN or infinity"):
        write_text(tmp_path / "a.json", json_text(tmp_path / "a.json", {"dice": number}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.symlink_to("nowhere")])
def test_odd_targets_do_not_leave_litter(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "out.txt")
    try:
        write_text(tmp_path / "out.txt", "text")
    except OSError as error:
        assert error.errno == errno.EISDIR
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()
