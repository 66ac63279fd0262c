"""Series arrive complete from a local S3 server or not at all; masks must stay as in the first run."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest

from fetch_series import fetch_series
from segguided.config.classes import AnatomyClass
from segguided.config.sources.idc import IdcSource
from segguided.data.datasets import idc
from segguided.data.datasets.duke_layout import write_duke_layout
from segguided.data.datasets.phantom import Phantom, make_phantom
from segguided.data.datasets.sources import read_patient
from segguided.data.download import answers
from segguided.files import sha256_of
from support.loopback import deaf
from support.s3_stand_in import StandIn, serve

SCRIPT = Path(__file__).parents[3] / "scripts/fetch_series.py"
PATIENT = "Breast_MRI_002"
MASKS = [f"Segmentation_{PATIENT}_Breast.seg.nrrd", f"Segmentation_{PATIENT}_Dense_and_Vessels.seg.nrrd"]


@dataclass(frozen=True)
class Case:
    """One patient on the server, the masks in a folder, and where the receipt goes."""

    stand_in: StandIn
    row: dict[str, str]
    files: list[Path]  # on the server
    source: IdcSource
    receipt: Path
    phantom: Phantom

    @property
    def images(self) -> Path:
        return self.receipt.parent.parent / "images" / PATIENT

    def fetch(self) -> None:
        fetch_series(self.row, Path(self.source.masks), MASKS, self.receipt, self.source.endpoint)

    def fetch_from(self, endpoint: str) -> None:
        fetch_series(self.row, Path(self.source.masks), MASKS, self.receipt, endpoint)

    def refusal(self, error: type[Exception] = OSError) -> str:
        with pytest.raises(error) as caught:
            self.fetch()
        assert not self.receipt.exists()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def assert_whole(self) -> None:
        assert sorted(path.name for path in self.images.iterdir()) == [path.name for path in self.files]
        for path in self.files:
            assert (self.images / path.name).read_bytes() == path.read_bytes()
        listed = json.loads(self.receipt.read_text())["images"]
        assert listed == [
            {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for path in self.files
        ]


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with serve() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Phantom]:
    """A patient in the Duke layout."""
    folder = tmp_path_factory.mktemp("patient")
    phantom = make_phantom(PATIENT, seed=0, size=32, slices=6)
    write_duke_layout(phantom, PATIENT, folder)
    return folder, phantom


@pytest.fixture
def case(server: StandIn, patient: tuple[Path, Phantom], tmp_path: Path) -> Case:
    folder, phantom = patient
    files = sorted((folder / "images" / PATIENT).iterdir())
    masks = tmp_path / "masks" / "Supplement-v3"
    shutil.copytree(folder / "Segmentation_Masks_NRRD", masks / "Segmentation_Masks_NRRD")
    server.faults.clear()
    server.sent.clear()
    row = {
        "patient": PATIENT,
        "series_uid": str(pydicom.dcmread(files[0]).SeriesInstanceUID),
        "series_url": server.upload(tmp_path.name, files),
        "instances": str(len(files)),
        "size_MB": f"{sum(path.stat().st_size for path in files) / 1e6:.6f}",
    }
    source = IdcSource(kind="idc", masks=str(tmp_path / "masks"), endpoint=server.endpoint)
    return Case(server, row, files, source, tmp_path / "raw/receipts" / f"{PATIENT}.json", phantom)


def objects(case: Case) -> list[str]:
    """Names of the objects that were sent, without the listings."""
    return sorted(name for name in case.stand_in.sent if name != "list")


# Whole


def test_a_series_arrives_whole_and_reads_back_as_the_patient(case: Case) -> None:
    case.fetch()
    case.assert_whole()
    table = [
        AnatomyClass(name="breast", file=MASKS[0], segment="Breast"),
        AnatomyClass(name="vessels", file=MASKS[1], segment="Vessels"),
        AnatomyClass(name="FGT", file=MASKS[1], segment="Dense"),
    ]
    image, mask = read_patient(case.source, table, case.row, [case.receipt])
    np.testing.assert_array_equal(image.array_zyx, case.phantom.image_zyx)
    np.testing.assert_array_equal(mask.array_zyx, case.phantom.labels_zyx)


def test_a_complete_series_needs_no_server(case: Case) -> None:
    """Also where the files were copied there by hand, with other names."""
    case.images.mkdir(parents=True)
    for number, path in enumerate(case.files):
        shutil.copy(path, case.images / f"1-{number:03d}.dcm")
    case.fetch()
    assert case.stand_in.sent == []
    assert case.receipt.is_file()


def test_only_the_rest_is_fetched(case: Case) -> None:
    case.images.mkdir(parents=True)
    for path in case.files[:3]:
        os.utime(shutil.copy(path, case.images), (0, 0))  # older than the server's, which says nothing
    half = case.images / case.files[2].name
    half.write_bytes(half.read_bytes()[:500])
    (case.images / f"{case.files[4].name}4286139520").write_bytes(b"what a killed download left")
    case.fetch()
    case.assert_whole()
    assert set(objects(case)) == {path.name for path in case.files[2:]}


# Faults


@pytest.mark.parametrize("fault", [500, 503, "cut"])
def test_passing_faults_are_tried_again(case: Case, fault: object) -> None:
    case.stand_in.faults["list"] = [fault] if isinstance(fault, int) else []
    case.stand_in.faults[case.files[1].name] = [fault]
    case.fetch()
    case.assert_whole()
    assert not any(case.stand_in.faults.values())


def test_a_server_that_stays_broken_leaves_the_rest_for_the_next_run(case: Case) -> None:
    name = case.files[1].name
    case.stand_in.faults[name] = ["cut"] * 100
    assert "not complete" in (message := case.refusal()) and "the same command again" in message
    assert {path.name for path in case.images.iterdir()} == {path.name for path in case.files} - {name}
    case.stand_in.faults.clear()
    case.stand_in.sent.clear()
    case.fetch()
    case.assert_whole()
    assert set(objects(case)) == {name}


def test_an_absent_series_points_to_the_index(case: Case) -> None:
    case.row["series_url"] = case.row["series_url"].replace("/*", "-gone/*")
    message = case.refusal()
    assert "the server has no such series (404); the address may belong to another version" in message
    case.stand_in.faults["list"] = [404] * 10
    assert "the server has no such series (404)" in case.refusal()


def test_a_series_that_is_not_public(case: Case) -> None:
    case.row["series_url"] = case.stand_in.upload(
        f"{case.receipt.parents[2].name}-private", case.files, public=False
    )
    assert "the server refuses it (403); check that the bucket is public" in case.refusal()


def test_a_dead_server_is_given_up_at_once(case: Case) -> None:
    start = time.monotonic()
    with pytest.raises(OSError, match=r"^http://127\.0\.0\.1:9 cannot be reached; run .* network") as caught:
        case.fetch_from("http://127.0.0.1:9")
    assert time.monotonic() - start < 5
    assert f"put the series' files into {case.images} by hand" in str(caught.value)


def test_a_silent_server_is_given_up_within_30_s(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, answer = answers.TIMEOUT_S
    assert connect * 8 + answer < 30 > answers.ANSWER_S  # names of S3 have eight addresses
    monkeypatch.setattr(answers, "TIMEOUT_S", (0.3, 0.3))
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(OSError, match="cannot be reached"):
        case.fetch_from(f"http://127.0.0.1:{silent.getsockname()[1]}")
    with deaf() as port, pytest.raises(OSError, match="cannot be reached"):
        case.fetch_from(f"http://127.0.0.1:{port}")


def test_a_transfer_that_falls_silent_is_started_again(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idc, "SILENCE_S", 0.6)
    case.stand_in.faults[case.files[2].name] = ["stall"]
    case.fetch()
    case.assert_whole()
    assert sorted(objects(case)) == [path.name for path in case.files]


def test_a_transfer_that_stays_silent_is_given_up(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idc, "SILENCE_S", 0.5)
    name = case.files[2].name
    case.stand_in.faults[name] = ["stall"] * 9
    start = time.monotonic()
    assert (
        "not complete (almost nothing arrived for 0.5 s, 3 times); run the same command again"
        in case.refusal()
    )
    assert time.monotonic() - start < 10
    assert name not in {path.name for path in case.images.iterdir()}
    case.stand_in.faults.clear()
    case.stand_in.sent.clear()
    case.fetch()
    case.assert_whole()
    assert objects(case) == [name]


def test_a_slow_transfer_is_waited_for_but_not_forever(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idc, "SILENCE_S", 0.8)
    name = case.files[2].name
    case.stand_in.faults[name] = ["slow"]  # 2 s
    case.fetch()
    case.assert_whole()
    (case.images / name).unlink()
    case.receipt.unlink()
    case.stand_in.faults[name] = ["slow"]
    monkeypatch.setattr(idc, "LONGEST_S", 0.5)
    assert (
        "not complete (it took over 0.5 s); run the same command again, which fetches the rest"
        in case.refusal()
    )


def test_only_the_configuration_names_a_server(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9")
    case.fetch()
    calls: list[tuple[list[str], dict[str, str]]] = []

    def run_watched(command: list[str], folder: Path, environment: dict[str, str], *_: float) -> None:
        calls.append((command, environment))
        raise TimeoutError

    monkeypatch.setattr(idc, "run_watched", run_watched)
    monkeypatch.setattr(idc, "reach", lambda *_, **__: None)
    shutil.rmtree(case.images)
    with pytest.raises(OSError, match="not complete"):
        idc.fetch_series(idc.Series.from_row(case.row), case.images, case.images.parent / "quarantine")
    ((command, environment),) = calls
    assert "--endpoint-url" not in command and "S3_ENDPOINT_URL" not in environment


def test_a_killed_download_writes_no_receipt_and_is_continued(case: Case) -> None:
    waiting = case.files[3].name
    case.stand_in.faults[waiting] = [60.0] * 20
    command = [
        *(sys.executable, str(SCRIPT), "--row", json.dumps(case.row), "--mask-folder", case.source.masks),
        *("--masks", *MASKS, "--endpoint", case.stand_in.endpoint, "--receipt", str(case.receipt)),
    ]
    process = subprocess.Popen(command, start_new_session=True)
    until = time.monotonic() + 30
    while len(objects(case)) < len(case.files) - 1 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not case.receipt.exists()
    assert waiting not in {path.name for path in case.images.iterdir()}
    case.stand_in.faults.clear()
    case.stand_in.sent.clear()
    case.fetch()
    case.assert_whole()
    assert set(objects(case)) == {waiting}


# Wrong


def damaged(case: Case, number: int, content: bytes) -> None:
    """Replace an object of the series by another."""
    path = case.receipt.parent.parent / "other" / case.files[number].name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    case.stand_in.upload(case.row["series_url"].split("/")[-2], [path])


def test_a_truncated_object_is_quarantined_and_asked_for_again(case: Case) -> None:
    damaged(case, 2, case.files[2].read_bytes()[:-300])
    message = case.refusal(ValueError)
    assert re.search(r"expected \d+ bytes, got \d+, twice; the files are in .*quarantine", message)
    assert not case.images.exists()
    assert len(list((case.images.parents[1] / "quarantine" / PATIENT).iterdir())) == len(case.files)
    assert objects(case).count(case.files[0].name) >= 2
    case.stand_in.upload(case.row["series_url"].split("/")[-2], [case.files[2]])
    case.fetch()
    case.assert_whole()


def test_damage_of_the_right_size_on_disk_is_replaced(case: Case) -> None:
    case.images.mkdir(parents=True)
    for path in case.files:
        shutil.copy(path, case.images)
    spoilt = case.images / case.files[0].name
    spoilt.write_bytes(bytes(spoilt.stat().st_size))
    case.fetch()
    case.assert_whole()
    assert (case.images.parents[1] / "quarantine" / PATIENT / spoilt.name).is_file()


def test_other_files_beside_the_slices_count_as_no_slice(case: Case) -> None:
    """Also where number and size of all files in the folder are right."""
    shutil.copytree(case.files[0].parent, case.images)
    last = max(case.images.iterdir(), key=lambda path: int(pydicom.dcmread(path).InstanceNumber))
    last.write_bytes(bytes(last.stat().st_size))
    last.rename(last.with_suffix(".txt"))
    series = idc.Series.from_row(case.row)
    assert idc.find_defect(series, case.images) == "expected 6 DICOM files, got 5"


def resave(path: Path, **changes: object) -> bytes:
    """The slice with other values."""
    dataset = pydicom.dcmread(path)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    target = path.parent / ".changed"
    dataset.save_as(target)
    content = target.read_bytes()
    target.unlink()
    return content


def test_two_slices_at_one_position(case: Case) -> None:
    position = pydicom.dcmread(case.files[0]).ImagePositionPatient
    content = resave(case.files[1], ImagePositionPatient=position)
    damaged(case, 1, content)
    more = len(content) - case.files[1].stat().st_size
    case.row["size_MB"] = f"{float(case.row['size_MB']) + more / 1e6:.6f}"
    assert "(duplicate slice), twice" in case.refusal(ValueError)


def test_names_that_lead_out_of_the_folder_are_not_fetched(case: Case) -> None:
    """Objects named folder/../../name: s5cmd alone would write them beside and above its target."""
    prefix = case.row["series_url"].split("/")[-2]
    for way in ("/..", "/../..", "/sub/../../.."):
        case.stand_in.upload(prefix + way, case.files[:1])
    case.fetch()
    case.assert_whole()
    strays = [path for path in case.images.parents[2].rglob(case.files[0].name) if path.parent != case.images]
    assert not strays


def test_a_slice_of_another_series(case: Case) -> None:
    uid = case.row["series_uid"]
    damaged(case, 1, resave(case.files[1], SeriesInstanceUID=uid[:-1] + str((int(uid[-1]) + 1) % 10)))
    assert "expected one series, got 2" in case.refusal(ValueError)


def test_the_whole_of_another_series(case: Case) -> None:
    case.row["series_uid"] = "1.2.3"
    message = case.refusal(ValueError)
    assert "expected the series 1.2.3, got 2.25." in message
    assert "if it is the right series, correct the patient table" in message


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("instances", "7", "expected 7 files, got 6, twice"),
        ("instances", "many", "instances or size_MB is no number"),
        (
            "series_url",
            "http://host/uuid/*",
            "expected an address such as s3://bucket/folder/* as series_url",
        ),
        ("series_url", "--endpoint-url=x", "expected an address such as s3://bucket/folder/* as series_url"),
        ("series_url", "s3://bucket/*", "expected an address such as s3://bucket/folder/* as series_url"),
    ],
)
def test_impossible_rows_are_refused(case: Case, column: str, value: str, expected: str) -> None:
    case.row[column] = value
    assert expected in case.refusal(ValueError)


# Masks


def test_absent_masks_are_refused_before_a_download(case: Case) -> None:
    shutil.rmtree(case.source.masks)
    message = case.refusal(ValueError)
    for part in (
        f"{case.source.masks}: expected the folder of the masks",
        '"3D Breast and FGT MRI Segmentation Supplemental Data" (Supplement-v3, 0.4 GB, by Aspera',
        "https://www.cancerimagingarchive.net/collection/duke-breast-cancer-mri/ and put it there",
    ):
        assert part in message
    assert case.stand_in.sent == []


def test_absent_masks_and_a_dead_server_are_told_together(case: Case) -> None:
    shutil.rmtree(case.source.masks)
    with pytest.raises(ValueError, match=r"put it there, or correct source\.masks; besides, http") as caught:
        case.fetch_from("http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached; run the same command again with a network" in str(
        caught.value
    )
    assert "besides" not in case.refusal(ValueError), "its own server answers"


def test_one_absent_mask_and_the_older_package(case: Case) -> None:
    folder = next(Path(case.source.masks).rglob(PATIENT))
    (folder / MASKS[1]).unlink()
    assert f"{folder / MASKS[1]}: expected a mask of patient {PATIENT}" in case.refusal(ValueError)
    Path(case.source.masks, "Supplement-v3").rename(Path(case.source.masks, "Supplement-v2"))
    assert "holds the older 2-D masks (Supplement-v2)" in case.refusal(ValueError)


def test_a_truncated_mask_is_not_recorded(case: Case) -> None:
    mask = next(Path(case.source.masks).rglob(MASKS[1]))
    whole = mask.read_bytes()
    mask.write_bytes(whole[:-20])
    assert f"{mask}: expected a complete NRRD file" in case.refusal(ValueError)
    mask.write_bytes(whole)
    case.fetch()


def test_masks_that_change_after_the_first_run_are_refused(case: Case) -> None:
    case.fetch()
    record = case.receipt.parent.parent / "masks" / f"{PATIENT}.sha256"
    first = record.read_text()
    sha256 = next(line[:64] for line in first.splitlines() if line.endswith(MASKS[0]))
    mask = next(Path(case.source.masks).rglob(MASKS[0]))
    mask.write_bytes(mask.read_bytes() + b"x")
    case.receipt.unlink()  # as Snakemake does before it runs a job again
    message = case.refusal(ValueError)
    assert f"{mask}: expected the SHA-256 {sha256} recorded in {record}" in message
    assert record.read_text() == first
    record.unlink()
    case.fetch()
    assert json.loads(case.receipt.read_text())["masks"][0]["sha256"] == sha256_of(mask)


def test_files_that_changed_after_the_receipt_are_not_read(case: Case) -> None:
    case.fetch()
    table = [AnatomyClass(name="breast", file=MASKS[0], segment="Breast")]

    def refusal() -> str:
        with pytest.raises(ValueError, match="receipt") as caught:
            read_patient(case.source, table, case.row, [case.receipt])
        return str(caught.value)

    top = case.images / case.files[0].name
    for path in (next(Path(case.source.masks).rglob(MASKS[0])), top):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # the last grey value
        assert f"{path}: its content is not what {case.receipt} says" in refusal()
        path.write_bytes(content)
    top.unlink()
    assert f"{top}: expected a file of " in refusal()
    assert f"but it is not there; delete {case.receipt} and run" in refusal()
