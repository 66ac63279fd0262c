"""Downloads from the Hugging Face hub, in a process of their own that is stopped when nothing arrives.

The hub's library limits only the time between two bytes: one byte a second could go on for years.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HFValidationError

from segguided.data.download.watched import Limits, Silent, TooMuch, run_watched
from segguided.shown import printable, without_secrets

LIMITS = Limits(silence_s=120.0, longest_s=4 * 3600.0, least_bytes=120_000, most_bytes=20_000_000_000)
LIBRARY = Path(__file__).parents[2]


def fetch(source: str, wanted: Sequence[str], unwanted: Sequence[str]) -> str:
    """The folder with the repository's files that match `wanted` but not `unwanted`; files stay in the cache.

    Raises OSError with the hub's own reason if they cannot be downloaded.
    """
    cache = Path(constants.HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    job = json.dumps([source, list(wanted), list(unwanted)])
    command = [sys.executable, "-m", "segguided.models.hub", job]
    paths = [str(LIBRARY), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",  # Xet writes a file only when it is whole: no growth would be seen
    }
    try:
        process = run_watched(command, cache / _folder_name(source), environment, LIMITS)
    except Silent:
        raise OSError(f"next to nothing arrived for {LIMITS.silence_s:g} s") from None
    except TooMuch:
        raise OSError("far more arrives than such a pipeline holds") from None
    except TimeoutError:
        raise OSError(f"it took over {LIMITS.longest_s / 3600:g} hours; what arrived is kept") from None
    if process.returncode:
        raise OSError(_reason(process.stderr))
    return _snapshot(source, wanted, unwanted, offline=True)


def _folder_name(source: str) -> str:
    """The name of a repository's folder in the cache."""
    return f"models--{source.replace('/', '--')}"


def _reason(report: str) -> str:
    """The last line of an error report, safe to print."""
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    return printable(without_secrets(lines[-1] if lines else "no reason given"))[:300]


def _snapshot(source: str, wanted: Sequence[str], unwanted: Sequence[str], *, offline: bool) -> str:
    folder = snapshot_download(
        source,
        local_files_only=offline,
        allow_patterns=list(wanted),
        ignore_patterns=list(unwanted),
    )
    return str(folder)


def main() -> None:
    """The body of the downloading process."""
    source, wanted, unwanted = json.loads(sys.argv[1])
    try:
        _snapshot(source, wanted, unwanted, offline=False)
    except (OSError, HFValidationError) as error:  # no network, no such repository, no such name
        sys.exit((str(error).splitlines() or [type(error).__name__])[0])


if __name__ == "__main__":
    main()
