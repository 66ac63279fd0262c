"""How many slice files a process may have open at once: each patient's is one file and one memory map."""

import resource
from pathlib import Path

OPEN_FILES = Path("/proc/self/fd")
MOST_MEMORY_MAPS = Path("/proc/sys/vm/max_map_count")
OTHER_FILES = 64  # that a process needs at least
SPARE_FILES = 256  # that it gets where the machine allows it
OTHER_MAPS = 2000  # of the libraries


def allow_open_files(count: int) -> None:
    """Raise this process's limit of open files, often 1024, so that it can map `count` files.

    They come on top of the files that are open now, among them those of other sets of slices. Raises
    ValueError where the machine's own limits are lower than that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = float("inf") if hard == resource.RLIM_INFINITY else hard
    opened = _open_files()
    total = opened + count
    if most < total + OTHER_FILES:
        raise ValueError(
            f"a job opens the slice files of {count} patients at once, while it has {opened} files open, "
            f"but a process may have {hard} files open on this machine; have the hard limit (`ulimit -Hn`) "
            f"raised to {total + SPARE_FILES}, or make splits of fewer patients"
        )
    maps = _most_memory_maps()
    if maps < total + OTHER_MAPS:
        raise ValueError(
            f"a job maps the slice files of {count} patients into memory, while it has {opened} files open, "
            f"but on this machine a process may have {maps} maps; have the kernel's vm.max_map_count raised "
            f"to {total + OTHER_MAPS}, or make splits of fewer patients"
        )
    wanted = int(min(total + SPARE_FILES, most))
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _open_files() -> int:
    """How many files this process has open, one for each map of a file; 0 where the system does not say."""
    try:
        return sum(1 for _ in OPEN_FILES.iterdir())
    except OSError:
        return 0


def _most_memory_maps() -> float:
    """How many maps Linux allows a process; no limit is known of other systems."""
    try:
        return int(MOST_MEMORY_MAPS.read_text())
    except (OSError, ValueError):
        return float("inf")
