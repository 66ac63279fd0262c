"""Only pipelines of one folder write into a results folder; what a killed one left does not stop others."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from segguided.planning import writers
from segguided.planning.writers import FOLDER, register_writer, unregister_writer

SCRIPTS = Path(__file__).parents[2] / "scripts"
ENTERING = """if True:
    import sys
    from pathlib import Path
    from segguided.planning.writers import register_writer
    print(register_writer(Path(sys.argv[1]), Path(sys.argv[2])), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Two copies of a pipeline, and the results that both should write."""
    folders = {name: tmp_path / name for name in ("mine", "other", "results")}
    for folder in folders.values():
        folder.mkdir()
    return folders


@pytest.fixture
def other(folders: dict[str, Path]) -> Iterator["subprocess.Popen[str]"]:
    """A process that writes for the other folder until it is asked to end."""
    command = [sys.executable, "-c", ENTERING, str(folders["results"]), str(folders["other"])]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout
    assert process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def registered(folders: dict[str, Path]) -> list[Path]:
    return sorted((folders["results"] / FOLDER).glob("*"))


def edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_one_folder_enters_as_often_as_it_likes_and_leaves_nothing(folders: dict[str, Path]) -> None:
    first = register_writer(folders["results"], folders["mine"])
    assert register_writer(folders["results"], folders["mine"]) == first, "of the same process"
    unregister_writer(first)
    unregister_writer(first)
    assert not list(folders["results"].iterdir())


def test_a_second_run_of_the_same_folder_is_told_of_the_first(
    folders: dict[str, Path], other: "subprocess.Popen[str]"
) -> None:
    """Snakemake's locks would not do: the end of any run of a folder removes those of all."""
    with pytest.raises(
        ValueError, match=rf"already works in {folders['other']} \(process {other.pid}, since "
    ):
        register_writer(folders["results"], folders["other"])
    assert len(registered(folders)) == 1


def test_another_folders_writer_is_named(folders: dict[str, Path], other: "subprocess.Popen[str]") -> None:
    with pytest.raises(ValueError, match="is being written by the Snakemake in") as caught:
        register_writer(folders["results"], folders["mine"])
    message = str(caught.value)
    assert f"{folders['other']} (process {other.pid} on " in message
    assert "or give this one results of its own (pathvars.results)" in message
    assert "delete /" not in message
    assert len(registered(folders)) == 1, "a refused one leaves nothing"


def test_a_writer_reached_by_another_name_of_the_folder_is_found(
    folders: dict[str, Path], other: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(folders["results"])
    with pytest.raises(ValueError, match="is being written by"):
        register_writer(tmp_path / "link", folders["mine"])


def test_what_a_killed_one_left_is_cleared(folders: dict[str, Path], other: "subprocess.Popen[str]") -> None:
    other.kill()
    other.wait()
    mine = register_writer(folders["results"], folders["mine"])
    assert registered(folders) == [mine]
    unregister_writer(mine)


def test_what_a_killed_one_of_the_same_folder_left_is_cleared(
    folders: dict[str, Path], other: "subprocess.Popen[str]"
) -> None:
    """Else another folder's pipeline on another machine would be refused long after all has ended."""
    other.kill()
    other.wait()
    unregister_writer(register_writer(folders["results"], folders["other"]))
    assert not (folders["results"] / FOLDER).exists()


def test_a_process_that_took_the_dead_ones_number_is_not_it(folders: dict[str, Path]) -> None:
    path = register_writer(folders["results"], folders["other"])
    dead = path.with_name("other.json")
    path.rename(dead)
    edit(dead, created=1.0)
    mine = register_writer(folders["results"], folders["mine"])
    assert registered(folders) == [mine]


def test_jobs_that_a_killed_one_left_running_are_waited_for(
    folders: dict[str, Path], other: "subprocess.Popen[str]"
) -> None:
    other.kill()
    other.wait()
    (folders["other"] / "scripts").mkdir()
    (folders["other"] / "scripts/train_diffusion.py").write_text("input()")
    command = [sys.executable, "scripts/train_diffusion.py"]
    job = subprocess.Popen(command, cwd=folders["other"], stdin=subprocess.PIPE)
    try:
        time.sleep(0.2)
        with pytest.raises(ValueError, match=r"jobs of a killed Snakemake in .*other still write.*resume"):
            register_writer(folders["results"], folders["mine"])
    finally:
        job.kill()
        job.communicate()
    mine = register_writer(folders["results"], folders["mine"])
    assert registered(folders) == [mine]


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"processes": "1"}, {"host": "login2", "pid": 1}])
def test_one_that_cannot_be_seen_from_here_is_refused_with_the_way_out(
    folders: dict[str, Path], other: "subprocess.Popen[str]", change: dict[str, object]
) -> None:
    """On another machine, or in another container of this one: also when it is dead."""
    other.kill()
    other.wait()
    (path,) = registered(folders)
    edit(path, **change)
    with pytest.raises(ValueError, match=f"if that process is gone for sure, delete {path}$"):
        register_writer(folders["results"], folders["mine"])
    path.unlink()
    unregister_writer(register_writer(folders["results"], folders["mine"]))


def test_the_same_folder_seen_from_another_machine_is_the_same(
    folders: dict[str, Path], other: "subprocess.Popen[str]"
) -> None:
    (path,) = registered(folders)
    edit(path, host="login2")
    unregister_writer(register_writer(folders["results"], folders["other"]))


def test_another_machines_folder_of_the_same_name_is_another(folders: dict[str, Path]) -> None:
    path = register_writer(folders["results"], folders["mine"])
    path.rename(path.with_name("other.json"))
    edit(path.with_name("other.json"), host="container-2")
    unregister_writer(register_writer(folders["results"], folders["mine"]))
    (folders["mine"] / writers.TOKEN).write_text("of another disk\n")
    with pytest.raises(ValueError, match="is being written by"):
        register_writer(folders["results"], folders["mine"])


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"host": "x"}', "\x00\xff"])
def test_a_damaged_file_is_named(folders: dict[str, Path], text: str) -> None:
    (folders["results"] / FOLDER).mkdir()
    path = folders["results"] / FOLDER / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"^{path}, .* cannot be read; if none does, delete it$"):
        register_writer(folders["results"], folders["mine"])
