# What is looked at when a run starts, once its jobs are known, and what is cleared away when trainings are accepted.

import atexit
import time

from segguided.config.left_out import applications_left_out, figures_left_out
from segguided.planning.inputs import refuse_future, refuse_unquoted
from segguided.training.resume_files import (
    ResumeFileDiscarder,
    discard_resume_files,
    has_resume_files,
)
from segguided.planning.writers import enter, leave

LEFT_OUT = []  # by `all` and `applications`, those of them that are asked for


def tell_left_out(sentences):
    """Name what the configuration leaves out, once, when the jobs are found; no input."""
    for sentence in sentences:
        if sentence not in LEFT_OUT:
            LEFT_OUT.append(sentence)
            logger.info(sentence)
    return []


def left_out_figures(wildcards):
    return tell_left_out(figures_left_out(CONFIG))


def left_out_applications(wildcards):
    return tell_left_out(applications_left_out(CONFIG))


def refuse_left_out(things, figure):
    """The same things; where there are none, stop and name the setting that the figure lacks."""
    if not things:
        sentences = figures_left_out(CONFIG)
        raise WorkflowError(next(one for one in sentences if one.startswith(figure)))
    return things


def refuse_second_writer():
    """Stop where a pipeline of another folder writes into the same results; the file that tells of this one."""
    try:
        mine = enter(Path(RESULTS), Path.cwd())
    except (ValueError, OSError) as error:
        raise WorkflowError(getattr(error, "strerror", None) or str(error)) from None
    atexit.register(leave, mine)
    return mine


def refuse_inputs(mine):
    """Stop where an input would make Snakemake delete what is made from it, or run what its name holds."""
    jobs = list(workflow.dag.needrun_jobs())
    made = {path for job in jobs for path in job.output}
    found = {path for job in jobs for path in job.input}
    now = max(
        time.time(), mine.stat().st_mtime
    )  # the file system may have a clock of its own
    try:
        refuse_future(found - made, now)
        if not workflow.local_exec:
            refuse_unquoted(found)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def trainings():
    return [job for job in workflow.dag.jobs if job.rule.name.startswith("train_")]


def discard_accepted():
    """Delete what trainings kept to resume from, where their outputs are complete and accepted."""
    for job in trainings():
        output = Path(job.output[0])
        complete = has_resume_files(output) and all(
            Path(path).exists() for path in job.output
        )
        if complete and not workflow.async_run(workflow.persistence.incomplete(job)):
            discard_resume_files(output)


def discard_when_accepted():
    """The same, from now on, for each as soon as it is accepted."""
    workflow.scheduler.print_progress = (
        True  # tell of each job; what --quiet hides stays hidden
    )
    logger.addHandler(
        ResumeFileDiscarder(
            {str(workflow.dag.jobid(job)): Path(job.output[0]) for job in trainings()}
        )
    )
