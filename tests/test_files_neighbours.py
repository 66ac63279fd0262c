"""A writer clears what was left of its own target, and touches no neighbour's file that is being written."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from segguided.files import atomic_path, leftovers, write_text

SCRIPTS = Path(__file__).parents[1] / "scripts"
DEAD = 4_000_000  # above the largest process id that Linux gives by default, 2**22 at most
NEIGHBOURS = [
    ("p.npz", "p.1.npz"),
    ("p.npz", "p.1.2.npz"),
    ("p.npz", "p.partial.npz"),
    ("p.npz", "q.npz"),
    ("p.npz", "P.npz"),
    ("p.npz", "p.json"),
    ("p[1].npz", "p1.npz"),
    ("p*.npz", "p7.npz"),
    ("p?.npz", "p7.npz"),
    ("1.3.6.1.npz", "1.3.6.1.4.npz"),
    ("README", "README.7"),
    ("肝.npz", "肝臓.npz"),
]


@pytest.mark.parametrize(("target", "neighbour"), [*NEIGHBOURS, *((b, a) for a, b in NEIGHBOURS)])
def test_a_neighbour_being_written_is_left_alone(tmp_path: Path, target: str, neighbour: str) -> None:
    with atomic_path(tmp_path / neighbour) as temporary:
        temporary.write_text("half")
        write_text(tmp_path / target, "whole")
        assert temporary.read_text() == "half"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([target, neighbour])


@pytest.mark.parametrize(("target", "neighbour"), [*NEIGHBOURS, *((b, a) for a, b in NEIGHBOURS)])
def test_what_is_left_of_a_neighbour_is_its_own_to_clear(tmp_path: Path, target: str, neighbour: str) -> None:
    path = tmp_path / neighbour
    left = path.with_name(f".{path.stem}.{DEAD}.partial{path.suffix}")
    left.write_text("half")
    write_text(tmp_path / target, "whole")
    assert left.exists()
    write_text(path, "whole")
    assert not left.exists()


@pytest.mark.parametrize("name", sorted({name for pair in NEIGHBOURS for name in pair}))
def test_what_a_killed_writer_left_is_cleared(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    mine = path.with_name(f".{path.stem}.{DEAD}.partial{path.suffix}")
    mine.write_text("half")
    unknown = path.with_name(f".{path.stem}.{DEAD}x.partial{path.suffix}")
    unknown.write_text("of nobody known")
    assert leftovers(path) == [mine]
    write_text(path, "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, unknown.name])


def test_another_writer_of_the_same_target_keeps_its_file(tmp_path: Path) -> None:
    """Both end well, and the last one's bytes stay."""
    code = """if True:
        import sys
        from pathlib import Path
        from segguided.files import atomic_path
        with atomic_path(Path(sys.argv[1])) as temporary:
            temporary.write_text("other")
            print("writes", flush=True)
            sys.stdin.readline()
    """
    target = tmp_path / "p.npz"
    command = [sys.executable, "-c", code, str(target)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as other_writer:
        assert other_writer.stdout.readline() == "writes\n"
        write_text(target, "mine")
        assert target.read_text() == "mine"
        other_writer.communicate("end\n")
        assert other_writer.returncode == 0
    assert target.read_text() == "other"
    assert list(tmp_path.iterdir()) == [target]


def test_a_process_that_took_a_dead_writers_number_protects_nothing(tmp_path: Path) -> None:
    """Its file is older than the process: it cannot have written it."""
    newer_process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        left = tmp_path / f".p.{newer_process.pid}.partial.npz"
        left.write_text("half")
        assert leftovers(tmp_path / "p.npz") == []
        os.utime(left, (1e9, 1e9))
        assert leftovers(tmp_path / "p.npz") == [left]
    finally:
        newer_process.send_signal(signal.SIGKILL)
        newer_process.communicate()


def test_many_patients_at_once_with_names_that_begin_alike(tmp_path: Path) -> None:
    """Threads, each over its own file a hundred times: none loses its temporary file to another."""
    failures: list[Exception] = []

    def write(name: str) -> None:
        try:
            for number in range(100):
                write_text(tmp_path / name, str(number))
        except Exception as error:  # the test reports it, not the thread
            failures.append(error)

    names = ["p.npz", "p.1.npz", "p.1.2.npz", "p.2.npz"]
    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
