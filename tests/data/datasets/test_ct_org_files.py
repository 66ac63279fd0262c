"""CT-ORG's files come from a folder or a mirror, with checksums in both cases, or are refused."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.data.download import transfer as download_module
from segguided.files import sha256_of
from support import fixtures_ct_org as fc
from support import volume_files as vf
from support.loopback import Server, serving

SCRIPT = Path(__file__).parents[3] / "scripts" / "fetch_volume.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fc.write_case(tmp_path / "tcia")
    return tmp_path / "tcia"


def refusal(error: type[Exception], root: Path, row: dict[str, str] | None = None, **source: Any) -> str:
    with pytest.raises(error) as caught:
        fc.fetch(root, row, **source)
    assert "\n" not in str(caught.value)
    assert not (root / "receipts").exists() or not list((root / "receipts").iterdir())
    return str(caught.value)


# A local folder


@pytest.mark.parametrize("below", ["", "OrganSegmentations", "CT-ORG/OrganSegmentations"])
def test_a_local_file_is_used_in_place(tmp_path: Path, below: str) -> None:
    fc.write_case(tmp_path / "tcia" / below)
    root = tmp_path / "raw"
    receipt = json.loads(fc.fetch(root, folder=str(tmp_path / "tcia")).read_text())
    for part in ("volume", "labels"):
        path = tmp_path / "tcia" / below / f"{part}-0.nii.gz"
        expected = {"file": str(path), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        assert receipt[part] == expected
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == [
        "ct-org-000.json",
        "ct-org-000.sha256",
    ]


def test_a_checksum_is_recorded_at_first_sight_and_then_compared(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "raw"
    receipt = fc.fetch(root, folder=str(folder))
    record = root / "sha256" / "ct-org-000.sha256"
    assert subprocess.run(["sha256sum", "-c", record], cwd=folder, capture_output=True).returncode == 0
    receipt.unlink()
    assert fc.fetch(root, folder=str(folder)) == receipt  # and again
    receipt.unlink()
    path = folder / "labels-0.nii.gz"
    was = sha256_of(path)
    fc.write_case(folder, whole=fc.labels(6))
    message = refusal(ValueError, root, folder=str(folder))
    assert message.startswith(f"{folder}/volume-0.nii.gz: expected the SHA-256 ")
    assert str(record) in message
    assert was in record.read_text()


def test_checksums_of_the_patient_table_win_over_the_record(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "raw"
    pins = [sha256_of(folder / f"{part}-0.nii.gz") for part in ("volume", "labels")]
    fc.fetch(root, fc.row(0, *pins), folder=str(folder)).unlink()
    assert not (root / "sha256").exists()
    message = refusal(ValueError, root, fc.row(0, pins[0], "0" * 64), folder=str(folder))
    assert (
        f"labels-0.nii.gz: expected the SHA-256 {'0' * 64} recorded in the patient table, got {pins[1]}"
        in message
    )
    assert "hexadecimal digits, got 'abc'" in refusal(ValueError, root, fc.row(0, "abc"), folder=str(folder))


@pytest.mark.parametrize(
    ("harm", "expected"), [("cut", "truncated or damaged"), ("page", "it is a web page")]
)
def test_a_damaged_file_is_never_recorded(tmp_path: Path, folder: Path, harm: str, expected: str) -> None:
    if harm == "cut":
        vf.cut(folder / "volume-0.nii.gz")
    else:
        (folder / "volume-0.nii.gz").write_text("<html>log in</html>")
    assert expected in refusal(ValueError, tmp_path / "raw", folder=str(folder))
    assert not (tmp_path / "raw" / "sha256").exists()


def test_without_any_source_the_choices_are_named(tmp_path: Path, folder: Path) -> None:
    message = refusal(OSError, tmp_path / "raw")
    for word in (
        "volume-0.nii.gz has no folder to come from",
        "package 592",
        "source.folder",
        "source.mirror",
    ):
        assert word in message
    message = refusal(OSError, tmp_path / "raw", fc.row(7), folder=str(folder))
    assert message.startswith(f"volume-7.nii.gz is not in {folder} and no mirror is named: either get Organ")


# The mirror


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download_module, "PAUSES_S", (0.01, 0.02, 0.03))
    fc.write_case(tmp_path / "served")
    with serving(monkeypatch) as server:
        for part, below in (("volume", "volumes"), ("labels", "labels")):
            path = tmp_path / "served" / f"{part}-0.nii.gz"
            server.files[f"/ct-org/{below}/{path.name}"] = path.read_bytes()
        yield server


def test_files_missing_in_the_folder_come_from_the_mirror(tmp_path: Path, mirror: Server) -> None:
    local = tmp_path / "local"
    local.mkdir()
    (tmp_path / "served" / "volume-0.nii.gz").rename(local / "volume-0.nii.gz")
    root = tmp_path / "raw"
    receipt = json.loads(fc.fetch(root, folder=str(local), mirror=f"{mirror.url}/ct-org/").read_text())
    assert receipt["volume"]["file"] == str(local / "volume-0.nii.gz")
    assert receipt["labels"]["file"] == str(root / "files" / "labels-0.nii.gz")
    assert mirror.seen == [("/ct-org/labels/labels-0.nii.gz", None)]
    assert [path.name for path in (root / "files").iterdir()] == ["labels-0.nii.gz"]


def test_present_files_are_not_downloaded_again(tmp_path: Path, mirror: Server) -> None:
    fc.fetch(tmp_path / "raw", mirror=f"{mirror.url}/ct-org").unlink()
    fc.fetch(tmp_path / "raw", mirror=f"{mirror.url}/ct-org")
    assert len(mirror.seen) == 2


@pytest.mark.parametrize("faults", [[500, "cut"], ["cut", "cut", 503]])
def test_faults_that_pass(tmp_path: Path, mirror: Server, faults: list[int | str]) -> None:
    mirror.faults = faults
    fc.fetch(tmp_path / "raw", mirror=f"{mirror.url}/ct-org")
    served = tmp_path / "served" / "volume-0.nii.gz"
    assert (tmp_path / "raw" / "files" / "volume-0.nii.gz").read_bytes() == served.read_bytes()


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([404], "the server has no such file (404)"),
        ([403], "the server refuses it (403)"),
        ([500] * 9, "the server is busy or broken (500), also when tried again"),
    ],
)
def test_faults_that_last_name_the_choices(
    tmp_path: Path, mirror: Server, faults: list[int | str], expected: str
) -> None:
    mirror.faults = faults
    message = refusal(OSError, tmp_path / "raw", mirror=f"{mirror.url}/ct-org")
    assert message.startswith(
        f"{mirror.url}/ct-org/volumes/volume-0.nii.gz: {expected}; run again later, name another mirror"
    )
    assert "package 592" in message and "source.folder" in message
    assert not list((tmp_path / "raw").rglob("*.nii.gz"))


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path, mirror: Server) -> None:
    message = refusal(ValueError, tmp_path / "raw", fc.row(0, "0" * 64), mirror=f"{mirror.url}/ct-org")
    assert f"expected the SHA-256 {'0' * 64} recorded in the patient table" in message
    assert [path for path in (tmp_path / "raw").rglob("*") if path.is_file()] == []
    assert len(mirror.seen) == 1


def test_a_part_of_another_version_is_replaced_by_the_whole(tmp_path: Path, mirror: Server) -> None:
    part = tmp_path / "raw" / "files" / ".volume-0.nii.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"something else")
    pin = sha256_of(tmp_path / "served" / "volume-0.nii.gz")
    fc.fetch(tmp_path / "raw", fc.row(0, pin), mirror=f"{mirror.url}/ct-org")
    assert mirror.ranges == ["bytes=14-", None, None]
    assert not part.exists()


@pytest.mark.parametrize("harm", ["page", "truncated", "without its last byte"])
def test_an_incomplete_file_of_the_server_is_refused(tmp_path: Path, mirror: Server, harm: str) -> None:
    """Of a file with no checksum in the patient table; nothing is recorded or kept."""
    name = "/ct-org/volumes/volume-0.nii.gz"
    whole = mirror.files[name]
    shorter = {"truncated": whole[:-300], "without its last byte": whole[:-1]}
    mirror.files[name] = shorter.get(harm, b"<html>log in</html>")
    error = ValueError if harm in shorter else OSError
    expected = (
        "truncated or damaged" if harm in shorter else "the server sent a web page in place of the file"
    )
    assert expected in refusal(error, tmp_path / "raw", mirror=f"{mirror.url}/ct-org")
    assert [path for path in (tmp_path / "raw").rglob("*") if path.is_file()] == []


def test_after_a_kill_only_the_rest_is_fetched(tmp_path: Path, mirror: Server) -> None:
    data = gzip.compress(np.random.default_rng(0).bytes(2_000_000))
    mirror.files["/ct-org/volumes/volume-0.nii.gz"] = data
    mirror.faults = ["slow"]
    root = tmp_path / "raw"
    part, receipt = root / "files" / ".volume-0.nii.gz.part", root / "receipts" / "ct-org-000.json"
    source = fc.settings(mirror=f"{mirror.url}/ct-org").to_json()
    arguments = ["--row", json.dumps(fc.row()), "--settings", source, "--receipt", str(receipt)]
    command = [sys.executable, str(SCRIPT), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 30
        while not (part.is_file() and part.stat().st_size > 300_000) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    come = part.stat().st_size
    assert 300_000 < come < len(data)
    assert not receipt.exists() and not (root / "files" / "volume-0.nii.gz").exists()
    mirror.seen.clear()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert mirror.ranges == [f"bytes={come}-", None]
    assert (root / "files" / "volume-0.nii.gz").read_bytes() == data
    assert sorted(path.name for path in (root / "files").iterdir()) == ["labels-0.nii.gz", "volume-0.nii.gz"]
