"""Packages arrive with the right checksum or not at all, and only plain files come out of them."""

import io
import re
import tarfile
import time
from pathlib import Path

import pytest

from segguided.data.download import packages
from segguided.data.download import transfer as download
from segguided.data.download.packages import fetch_package, read_member
from segguided.files import sha256_of

SETUP = b"from setuptools import setup\nsetup(name='tinyscan', version='1.0')\n"
METADATA = b"Metadata-Version: 2.1\nName: tinyscan\nVersion: 1.0\n"


def make_tar(path: Path, **contents: bytes) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes source packages from, and nothing else."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    files = {
        "tinyscan-1.0/setup.py": SETUP,
        "tinyscan-1.0/PKG-INFO": METADATA,
        "tinyscan-1.0/scan.txt": b"1 2 3",
    }
    make_tar(folder / "tinyscan-1.0.tar.gz", **files)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_fetches_what_the_checksum_names(shelf: Path, tmp_path: Path) -> None:
    archive = shelf / "tinyscan-1.0.tar.gz"
    target = tmp_path / "raw" / "tinyscan.tar.gz"
    fetch_package("tinyscan==1.0", sha256_of(archive), target)
    assert target.read_bytes() == archive.read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_a_right_target_is_kept_without_asking_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_tar(tmp_path / "kept.tar.gz", a=b"a")
    monkeypatch.setattr(packages, "read_settings", lambda: pytest.fail("asked"))
    fetch_package("tinyscan==1.0", sha256_of(target), target)


def test_another_checksum_is_an_error_and_leaves_nothing(shelf: Path, tmp_path: Path) -> None:
    target = tmp_path / "raw" / "tinyscan.tar.gz"
    got = sha256_of(shelf / "tinyscan-1.0.tar.gz")
    with pytest.raises(ValueError, match=f"expected an archive with sha256 {'0' * 64}, got {got}"):
        fetch_package("tinyscan==1.0", "0" * 64, target)
    assert list(target.parent.iterdir()) == []


def test_without_network_the_message_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(download, "PAUSES_S", (0.1, 0.2, 0.3))
    target = tmp_path / "tinyscan.tar.gz"
    start = time.monotonic()
    with pytest.raises(OSError, match=r"index cannot be reached.* network") as caught:
        fetch_package("tinyscan==1.0", "0" * 64, target)
    assert time.monotonic() - start < 30
    assert str(target) in str(caught.value) and "0" * 64 in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_does_not_exist_is_named(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"tinyscan==9\.9"):
        fetch_package("tinyscan==9.9", "0" * 64, tmp_path / "t.tar.gz")


@pytest.mark.parametrize("requirement", ["tinyscan", "tinyscan>=1", "--index-url=x", "a==1 b==2"])
def test_only_pinned_requirements(requirement: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pinned"):
        fetch_package(requirement, "0" * 64, tmp_path / "t.tar.gz")


def test_reads_one_file(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", **{"p-1/data/scan.txt": b"1 2 3", "p-1/other": b"x"})
    path = read_member(archive, "p-1/data/scan.txt", tmp_path / "out")
    assert path.read_bytes() == b"1 2 3"
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [path]


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside"])
def test_refuses_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", **{name: b"x"})
    with pytest.raises(ValueError, match="inside the archive"):
        read_member(archive, name, tmp_path / "out")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_refuses_what_is_no_plain_file(kind: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(ValueError, match="plain file"):
        read_member(archive, "link", tmp_path / "out")


def test_a_link_that_lies_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data").symlink_to(tmp_path)
    archive = make_tar(tmp_path / "a.tar.gz", **{"data/scan.txt": b"1 2 3"})
    with pytest.raises(ValueError, match="outside the destination"):
        read_member(archive, "data/scan.txt", tmp_path / "out")
    assert not (tmp_path / "scan.txt").exists()


def test_the_first_python_3_11_reads_a_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tarfile has no extraction filters."""
    monkeypatch.delattr("tarfile.data_filter", raising=False)
    monkeypatch.delattr("tarfile.TarFile.extract")
    archive = make_tar(tmp_path / "a.tar.gz", **{"data/scan.txt": b"1 2 3"})
    assert read_member(archive, "data/scan.txt", tmp_path / "out").read_bytes() == b"1 2 3"


def test_archives_are_unpacked_only_in_this_module() -> None:
    """No zip file is unpacked: slices are read in place, inside the .npz file."""
    unpacks = re.compile(r"\.extract(all|file)?\(|unpack_archive\(")
    scripts = Path(packages.__file__).parents[3]
    assert [path for path in scripts.rglob("*.py") if unpacks.search(path.read_text())] == [
        Path(packages.__file__)
    ]


def test_a_missing_member_names_archive_and_member(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", a=b"a")
    with pytest.raises(ValueError, match=r"a\.tar\.gz: holds no file b\.nrrd"):
        read_member(archive, "b.nrrd", tmp_path / "out")


def test_a_truncated_archive_says_fetch_again(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", a=bytes(range(256)) * 400)
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(ValueError, match="fetch it again"):
        read_member(archive, "a", tmp_path / "out")


def test_a_missing_archive_says_fetch_it_first(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fetch it first"):
        read_member(tmp_path / "a.tar.gz", "a", tmp_path / "out")


def write_tar(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info in entries:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def entry(name: str, size: int = 0, **pax: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = size, pax
    return info


def test_archives_that_unpack_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "MOST_UNPACKED", 1_000_000)
    monkeypatch.setattr(packages, "MOST_AT_ONCE", 100_000)
    monkeypatch.setattr(packages, "MOST_ENTRIES", 50)
    bombs = {
        "member": write_tar(tmp_path / "a.tar.gz", entry("a", 2_000_000)),
        "before": write_tar(tmp_path / "b.tar.gz", entry("x", 2_000_000), entry("a", 1)),
        "header": write_tar(tmp_path / "c.tar.gz", entry("a", 1, comment="x" * 200_000)),
        "entries": write_tar(tmp_path / "d.tar.gz", *(entry(f"x{i}") for i in range(60)), entry("a", 1)),
    }
    for bomb in bombs.values():
        with pytest.raises(ValueError, match=r"unpacks to over|a header of|has over 50 entries"):
            read_member(bomb, "a", tmp_path / "out")
    small = write_tar(tmp_path / "e.tar.gz", entry("a", 300_000), entry("later", 2_000_000))
    assert read_member(small, "a", tmp_path / "out").stat().st_size == 300_000
