# What happens when a run starts, once its jobs are known, and what is deleted when a training is accepted.

import atexit
import time

from segguided.config.left_out import applications_left_out, figures_left_out
from segguided.planning.inputs import refuse_future, refuse_unquoted
from segguided.planning.writers import enter, leave
from segguided.training.resume_files import (
    ResumeFileDiscarder,
    discard_resume_files,
    has_resume_files,
)

# Sentences on what the configuration leaves out of this run's targets.
LEFT_OUT = []


def tell_left_out(sentences):
    """Log once each what the configuration leaves out. An input function that returns no input."""
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
    if things:
        return things
    reasons = [text for text in figures_left_out(CONFIG) if text.startswith(figure)]
    raise WorkflowError(reasons[0])


def refuse_second_writer():
    """The file that says this run writes here; stops where a run of another folder writes the same results."""
    try:
        mine = enter(Path(RESULTS), Path.cwd())
    except (ValueError, OSError) as error:
        raise WorkflowError(getattr(error, "strerror", None) or str(error)) from None
    atexit.register(leave, mine)
    return mine


def refuse_inputs(mine):
    """Stop where an input's date would make Snakemake delete outputs, or a shell would run an input's name."""
    jobs = list(workflow.dag.needrun_jobs())
    outputs = {path for job in jobs for path in job.output}
    inputs = {path for job in jobs for path in job.input}
    # The file system may have a clock of its own.
    now = max(time.time(), mine.stat().st_mtime)
    try:
        refuse_future(inputs - outputs, now)
        if not workflow.local_exec:
            refuse_unquoted(inputs)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def trainings():
    return [job for job in workflow.dag.jobs if job.rule.name.startswith("train_")]


def discard_accepted():
    """Delete what trainings kept to resume from, where their outputs are complete and accepted."""
    for job in trainings():
        output = Path(job.output[0])
        if not has_resume_files(output):
            continue
        complete = all(Path(path).exists() for path in job.output)
        if complete and not workflow.async_run(workflow.persistence.incomplete(job)):
            discard_resume_files(output)


def discard_when_accepted():
    """From now on, do the same for each training as soon as Snakemake accepts it."""
    # Snakemake then reports each job to its loggers; what --quiet hides stays hidden.
    workflow.scheduler.print_progress = True
    outputs = {str(workflow.dag.jobid(job)): Path(job.output[0]) for job in trainings()}
    logger.addHandler(ResumeFileDiscarder(outputs))
