"""Resume files of trainings: kept until Snakemake has accepted the outputs, because it may still refuse them.

A training ends before Snakemake looks at its outputs. This module does not import torch, because the
Snakefile uses it.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

RESUME = "resume.pt"
ASIDE = "resume-aside.pt"  # a resume file made with other settings, code or data


def has_resume_files(output: Path) -> bool:
    """Whether there is a resume file beside a training's output."""
    return any(output.with_name(name).exists() for name in (RESUME, ASIDE))


def discard_resume_files(output: Path) -> None:
    """Delete the resume files beside a training's output: it is complete and accepted."""
    for name in (RESUME, ASIDE):
        output.with_name(name).unlink(missing_ok=True)


class ResumeFileDiscarder(logging.Handler):
    """Listens to Snakemake's logger and deletes the resume files of each training whose job has finished.

    `trainings` gives the output of a training by the id of its job. With `--quiet progress` Snakemake does
    not log finished jobs, so the Snakefile checks all trainings again at the end.
    """

    def __init__(self, trainings: Mapping[str, Path]) -> None:
        super().__init__(logging.INFO)
        self.trainings = trainings

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one event; never raise."""
        if str(getattr(record, "event", None)) == "job_finished":
            output = self.trainings.get(str(getattr(record, "job_id", None)))
            try:
                if output:
                    discard_resume_files(output)
            except OSError as error:
                logging.getLogger("segguided").warning("%s: its resume file stays (%s)", output, error)
