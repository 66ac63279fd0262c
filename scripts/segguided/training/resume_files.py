"""Resume files of trainings: kept until Snakemake has accepted the outputs, which it may still refuse.

A training cannot know: it ends before its outputs are looked at. Without torch, for the Snakefile needs it.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

RESUME = "resume.pt"
ASIDE = "resume-aside.pt"  # of other settings, code or data


def has_resume_files(output: Path) -> bool:
    """Whether a resume file lies beside a training's output."""
    return any(output.with_name(name).exists() for name in (RESUME, ASIDE))


def discard_resume_files(output: Path) -> None:
    """Delete the resume files beside a training's output: it is complete and accepted."""
    for name in (RESUME, ASIDE):
        output.with_name(name).unlink(missing_ok=True)


class ResumeFileDiscarder(logging.Handler):
    """Hears from Snakemake's logger that jobs have finished; discards what those of `trainings` kept.

    Trainings by the id of their job; `--quiet progress` keeps Snakemake from telling, so somebody must look
    again at the end.
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
