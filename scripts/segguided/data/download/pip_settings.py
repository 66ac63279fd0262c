"""Where pip is set up to take packages from, and how it reaches them, read from pip's own commands."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from segguided.shown import printable, without_secrets

SECTIONS = ("global", "download", ":env:")  # of pip's settings, the stronger ones later
SEVERAL = ("extra-index-url", "find-links", "trusted-host")  # options that may hold more than one
LINE = re.compile(r"(global|download|:env:)\.([\w-]+)=(.*)")
DEFAULT = re.compile(r"--index-url\b.*?\(default\s+(\S+?)\)", re.DOTALL)
PLAIN = {"PIP_CONFIG_FILE": os.devnull, "COLUMNS": "200"}
LONGEST_S = 60.0
TRUE = ("1", "true", "yes", "on", "y", "t")


@dataclass(frozen=True, repr=False)  # no repr: addresses may hold a login, which must not be shown
class PipSettings:
    """Where packages are looked for, and how those places are reached."""

    indexes: tuple[str, ...]  # addresses of simple indexes
    links: tuple[str, ...]  # folders of archives, or pages with links to some; paths or addresses
    trusted: frozenset[str] = frozenset()  # hosts, or hosts with a port, that need no certificate
    proxy: str | None = None
    cert: str | None = None
    client_cert: str | None = None


def read_settings() -> PipSettings:
    """The settings that `pip download` would use here. Raises OSError where pip does not run."""
    options = _options(_pip("config", "list"))
    several = {name: tuple(options.get(name, "").split()) for name in SEVERAL}
    indexes: tuple[str, ...] = ()
    if options.get("no-index", "").lower() not in TRUE:
        indexes = (options.get("index-url") or _default_index(), *several["extra-index-url"])
    return PipSettings(
        indexes=indexes,
        links=several["find-links"],
        trusted=frozenset(several["trusted-host"]),
        proxy=options.get("proxy") or None,
        cert=options.get("cert") or None,
        client_cert=options.get("client-cert") or None,
    )


def _options(listing: str) -> dict[str, str]:
    """Values by option, each from the strongest section that has it."""
    sections: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        match = LINE.fullmatch(line)
        if match:
            sections[match[1]][match[2]] = str(ast.literal_eval(match[3]))
    return {name: value for options in sections.values() for name, value in options.items()}


def _default_index() -> str:
    """The index that pip uses where none is set: its help names it, read without this machine's settings."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    match = DEFAULT.search(_pip("download", "--help", environment={**plain, **PLAIN}))
    if not match:
        raise OSError("pip names no index of packages; set one as PIP_INDEX_URL")
    return match[1]


def _pip(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """What pip prints. Here pip only prints: it downloads, builds and runs nothing."""
    command: Sequence[str] = (sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"pip {arguments[0]} took over {LONGEST_S:g} s; run the same command again") from None
    if done.returncode:
        reason = printable(without_secrets(" ".join(done.stderr.split())))[:300]
        raise OSError(f"pip's settings cannot be read ({reason}); fix them, or install pip")
    return done.stdout
