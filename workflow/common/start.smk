# What happens when a run's jobs are known, and what is deleted when a training is accepted.

import atexit
import time

from segguided.config.left_out import applications_left_out, figures_left_out
from segguided.planning.inputs import refuse_future, refuse_unquoted
from segguided.planning.writers import register_writer, unregister_writer
from segguided.training.resume_files import (
    ResumeFileDiscarder,
    discard_resume_files,
    has_resume_files,
)

# Sentences on what the configuration leaves out of this run's targets.
LEFT_OUT = []


def log_left_out(sentences):
    """Log each sentence on what the configuration leaves out, once a run. Returns no input files."""
    for sentence in sentences:
        if sentence not in LEFT_OUT:
            LEFT_OUT.append(sentence)
            logger.info(sentence)
    return []


def left_out_figures(wildcards):
    return log_left_out(figures_left_out(CONFIG))


def left_out_applications(wildcards):
    return log_left_out(applications_left_out(CONFIG))


def require_for_figure(things, figure):
    """The things that a figure needs; where there are none, stop and name the missing setting."""
    if things:
        return things
    reasons = [text for text in figures_left_out(CONFIG) if text.startswith(figure)]
    raise WorkflowError(reasons[0])


def refuse_second_writer():
    """The file that says this run writes here; stops where a run of another folder writes the same results."""
    try:
        writer_file = register_writer(Path(RESULTS), Path.cwd())
    except (ValueError, OSError) as error:
        raise WorkflowError(getattr(error, "strerror", None) or str(error)) from None
    atexit.register(unregister_writer, writer_file)
    return writer_file


def refuse_inputs(writer_file):
    """Stop where an input's date would make Snakemake delete outputs, or a shell would run an input's name."""
    jobs = list(workflow.dag.needrun_jobs())
    outputs = {path for job in jobs for path in job.output}
    inputs = {path for job in jobs for path in job.input}
    # The file system may have a clock of its own.
    now = max(time.time(), writer_file.stat().st_mtime)
    try:
        refuse_future(inputs - outputs, now)
        if not workflow.local_exec:
            refuse_unquoted(inputs)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def count_reused():
    """How many of the jobs behind this run's targets were done by earlier runs."""
    running = set(workflow.dag.needrun_jobs())
    return sum(1 for job in workflow.dag.jobs if job.output and job not in running)


def trainings():
    return [job for job in workflow.dag.jobs if job.rule.name.startswith("train_")]


def discard_accepted():
    """Delete the resume files of trainings whose outputs are complete and accepted."""
    for job in trainings():
        output = Path(job.output[0])
        if not has_resume_files(output):
            continue
        complete = all(Path(path).exists() for path in job.output)
        if complete and not workflow.async_run(workflow.persistence.incomplete(job)):
            discard_resume_files(output)


def discard_when_accepted():
    """From now on, delete the same files for each training as soon as Snakemake accepts it."""
    # Snakemake then reports each job to its loggers; what --quiet hides stays hidden.
    workflow.scheduler.print_progress = True
    outputs = {str(workflow.dag.jobid(job)): Path(job.output[0]) for job in trainings()}
    logger.addHandler(ResumeFileDiscarder(outputs))
