"""Inputs that Snakemake would trip over are named before anything runs."""

import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from segguided.planning.inputs import refuse_future, refuse_unquoted

NOW = datetime(2026, 5, 4, 3, 2, 1).timestamp()


def dated(path: Path, seconds: float) -> str:
    path.touch()
    os.utime(path, (NOW + seconds, NOW + seconds))
    return str(path)


@pytest.mark.parametrize("seconds", [-1e8, -1, 0, 1.9])
def test_files_of_the_past_and_this_moment_are_fine(tmp_path: Path, seconds: float) -> None:
    refuse_future([dated(tmp_path / "a", seconds), str(tmp_path / "absent")], NOW)


@pytest.mark.parametrize(
    ("seconds", "date"),
    [(2.5, "03:02:03"), (60, "03:03:01"), (86400, "2026-05-05 03:02:01"), (3e8, "2035-11-")],
)
def test_a_file_of_the_future_is_named_with_its_date(tmp_path: Path, seconds: float, date: str) -> None:
    with pytest.raises(ValueError, match="is dated in the future") as caught:
        refuse_future([dated(tmp_path / "old", -9), dated(tmp_path / "a b.npz", seconds)], NOW)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/a b.npz is dated in the future (")
    assert date in message
    assert "it is 2026-05-04 03:02:01" in message
    assert message.endswith(f"touch '{tmp_path}/a b.npz'")


def test_of_many_the_latest_are_named(tmp_path: Path) -> None:
    paths = [dated(tmp_path / str(n), n * 100) for n in range(9)]
    with pytest.raises(ValueError, match=r"/8 is dated .*touch \S+/8 \S+/7 \S+/6 and 5 more$"):
        refuse_future(paths, NOW)


def test_folders_and_links_count_too(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "folder", (NOW + 99, NOW + 99))
    (tmp_path / "link").symlink_to(dated(tmp_path / "file", 99))
    os.utime(tmp_path / "link", (NOW, NOW), follow_symlinks=False)
    for name in ("folder", "link"):
        with pytest.raises(ValueError, match=f"/{name} is dated in the future"):
            refuse_future([str(tmp_path / name)], NOW)


def test_now_is_this_moment(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    refuse_future([str(tmp_path / "a")])
    os.utime(tmp_path / "a", (time.time() + 30,) * 2)
    with pytest.raises(ValueError, match="in the future"):
        refuse_future([str(tmp_path / "a")])


@pytest.mark.parametrize("path", ["it's/a", 'so "named"', "$(touch x)", "`x`", "C:\\x", "a$b"])
def test_what_a_clusters_shell_would_act_on_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="rename the folder or file, or run on one machine"):
        refuse_unquoted(["results/a.npz", path])


@pytest.mark.parametrize("path", ["results/a.npz", "my results/a", "a;b&c|d", "*?[a]", "肝臓/ß", "a(b)"])
def test_what_it_leaves_alone_is_not(path: str) -> None:
    refuse_unquoted([path])
