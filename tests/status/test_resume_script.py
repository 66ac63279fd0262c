"""scripts/resume.py hands every word to Snakemake, and explains itself where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

import resume
from segguided.cli import call

SCRIPT = Path(__file__).parents[2] / "scripts/resume.py"


@pytest.mark.parametrize(
    "words",
    [
        ["all"],
        ["--profile", "slurm", "all"],
        ["-n"],
        ["all", "--config", "a=b", "--", "x"],
        ["--", "-c1", "@file"],
    ],
    ids=" ".join,
)
def test_every_word_is_snakemakes(words: list[str]) -> None:
    seen: list[list[str]] = []
    call(
        resume.resume, resume.command_line(), lambda _, arguments: seen.append(arguments["arguments"]), words
    )
    assert seen == [words]


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True)


@pytest.mark.parametrize("words", [("-h",), ("--help",), ("all", "--help")], ids=" ".join)
def test_the_help_is_its_own(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.returncode == 0
    assert result.stdout.startswith("usage: resume.py ARGUMENTS OF SNAKEMAKE\n\nContinue after Snakemake was")
    assert "\n    python scripts/resume.py --profile slurm all\n" in result.stdout
    assert not result.stderr


def test_without_arguments_it_says_how_and_fails() -> None:
    result = run()
    assert result.returncode == 1
    assert result.stderr.startswith("usage: resume.py ARGUMENTS OF SNAKEMAKE\n")
    assert not result.stdout
