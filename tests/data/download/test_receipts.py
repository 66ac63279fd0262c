"""Raw files must be those of their receipt, and source packages those of the patient table."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from segguided.config.sources.phantom import PhantomSource
from segguided.data.datasets import demo_ct
from segguided.data.download.receipts import check_phantom
from write_phantom import write_phantom

PHANTOM = PhantomSource(kind="phantom", size=32, slices=4)


def flip(path: Path, place: int = 100) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("pattern", "change"),
    [
        ("images/p/*.dcm", flip),
        ("images/p/*.dcm", lambda path: path.unlink()),
        ("images/p/*.dcm", lambda path: path.write_bytes(b"")),
        ("images/p/*.dcm", lambda path: path.rename(path.with_name("extra.dcm"))),
        ("images/p/*.dcm", lambda path: path.with_name("extra.dcm").write_bytes(path.read_bytes())),
        ("Segmentation_Masks_NRRD/p/*", flip),
        ("Segmentation_Masks_NRRD/p/*", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("receipts/p.json", flip),
    ],
)
def test_a_phantom_that_differs_from_its_receipt_is_refused(
    tmp_path: Path, pattern: str, change: Callable[[Path], None]
) -> None:
    receipt, images = tmp_path / "receipts/p.json", tmp_path / "images/p"
    write_phantom("p", PHANTOM, receipt)
    check_phantom(receipt, tmp_path, images)
    change(sorted(tmp_path.glob(pattern))[0])
    with pytest.raises(ValueError, match=r"delete .*and run the same command again"):
        check_phantom(receipt, tmp_path, images)


@pytest.mark.parametrize("name", [".DS_Store", "._0.dcm", "Thumbs.db"])
def test_files_of_a_file_manager_do_not_spoil_a_phantom(tmp_path: Path, name: str) -> None:
    receipt, images = tmp_path / "receipts/p.json", tmp_path / "images/p"
    write_phantom("p", PHANTOM, receipt)
    (images / name).write_bytes(b"x")
    check_phantom(receipt, tmp_path, images)


@pytest.mark.parametrize("change", [flip, lambda path: path.write_bytes(b""), lambda path: flip(path, -1)])
def test_a_source_package_that_differs_from_the_patient_table_is_refused(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    archive = tmp_path / "package.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        member = tarfile.TarInfo("ct.txt")
        member.size = 1000
        file.addfile(member, io.BytesIO(bytes(1000)))
    row = {"sha256": hashlib.sha256(archive.read_bytes()).hexdigest(), "member": "ct.txt"}
    change(archive)
    with pytest.raises(
        ValueError, match=r"package\.tar\.gz is damaged \(.*patient table\); delete it and run"
    ):
        demo_ct.read_patient(archive, row)
