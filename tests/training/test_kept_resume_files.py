"""Resume files stay until Snakemake says that a training's job has finished, and no longer."""

import logging
from pathlib import Path

import pytest

from segguided.training.resume_files import ResumeFileDiscarder, discard_resume_files, has_resume_files


@pytest.fixture
def outputs(tmp_path: Path) -> dict[str, Path]:
    """Two trainings' weights, each with its two resume files."""
    weights = {}
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        for file in ("model.safetensors", "resume.pt", "resume-aside.pt", "attempts.json"):
            (tmp_path / name / file).touch()
        weights[name] = tmp_path / name / "model.safetensors"
    return weights


def names(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.iterdir())


def test_discarding_leaves_every_other_file(outputs: dict[str, Path]) -> None:
    assert has_resume_files(outputs["1"])
    discard_resume_files(outputs["1"])
    discard_resume_files(outputs["1"])
    assert not has_resume_files(outputs["1"])
    assert names(outputs["1"]) == ["attempts.json", "model.safetensors"]
    assert len(names(outputs["2"])) == 4


@pytest.mark.parametrize("name", ["resume.pt", "resume-aside.pt"])
def test_either_alone_counts(outputs: dict[str, Path], name: str) -> None:
    outputs["1"].with_name(name).unlink()
    assert has_resume_files(outputs["1"])
    discard_resume_files(outputs["1"])
    assert not has_resume_files(outputs["1"])


@pytest.mark.parametrize(
    ("event", "left"),
    [
        ({"event": "job_finished", "job_id": 1}, 2),
        ({"event": "job_finished", "job_id": "1"}, 2),
        ({"event": "job_finished", "job_id": 3}, 4),
        ({"event": "job_error", "job_id": 1}, 4),
        ({"event": "job_info", "jobid": 1}, 4),
        ({"event": None}, 4),
        ({}, 4),
    ],
)
def test_only_a_finished_training_loses_its_files(
    outputs: dict[str, Path], event: dict[str, object], left: int
) -> None:
    logger = logging.Logger("snakemake")
    logger.addHandler(ResumeFileDiscarder(outputs))
    logger.info("Finished jobid: 1", extra=event)
    assert len(names(outputs["1"])) == left
    assert len(names(outputs["2"])) == 4


def test_what_cannot_be_deleted_stops_nothing(
    outputs: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    outputs["1"].with_name("resume.pt").unlink()
    outputs["1"].with_name("resume.pt").mkdir()
    logger = logging.Logger("snakemake")
    logger.addHandler(ResumeFileDiscarder(outputs))
    logger.info("Finished", extra={"event": "job_finished", "job_id": 1})
    assert "its resume file stays" in caplog.text
