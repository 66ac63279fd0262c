"""The totals of a run, and its critical path, in words."""

from segguided.status.timeline.bars import Timeline
from segguided.status.words import clock, count

MINUTE = 60
HOUR = 3600


def summary(timeline: Timeline) -> list[str]:
    """Sentences: what ran and how it ended, wall time and CPU time, what is not shown."""
    return [_what_ran(timeline), _cpu(timeline), _left_out(timeline)]


def exact(seconds: float) -> str:
    """`4.2 s`, `45 s`, `12 min 3 s`, `3 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"


def _what_ran(timeline: Timeline) -> str:
    run = timeline.run
    done = sum(bar.done for bar in timeline.bars)
    text = (
        f"Run of {clock(run.begun)}, {_end(timeline)}: {count(done, 'job')} in {exact(timeline.wall)}, "
        f"{timeline.jobs_at_once:.1f} at once."
    )
    if timeline.path:
        seconds = sum(bar.seconds for bar in timeline.path)
        text += f" The critical path is {exact(seconds)} of work, {seconds / timeline.wall:.0%} of the run."
    return text


def _end(timeline: Timeline) -> str:
    run = timeline.run
    if run.end == "finished":
        return "finished"
    if run.stopping or run.end:
        return "interrupted" if run.stopping else "stopped with errors"
    return "its last job" if not timeline.never_started else "not ended"


def _cpu(timeline: Timeline) -> str:
    counted = sum(bar.cpu is not None for bar in timeline.bars)
    if not counted:
        return "CPU time: not in this journal."
    text = (
        f"CPU time of the jobs: {exact(timeline.cpu)}, of which {timeline.share_outside_computing:.0%} "
        "outside training, segmenters, generation and measuring."
    )
    if counted < len(timeline.bars):
        text += f" Of {count(len(timeline.bars) - counted, 'job')} it is not known."
    if any(bar.job.slurm for bar in timeline.bars):
        text += " On other machines it was sampled, which misses the ends of jobs."
    if timeline.run.own_cpu is not None:
        text += f" Snakemake itself: {exact(timeline.run.own_cpu)}."
    return text


def _left_out(timeline: Timeline) -> str:
    unfinished = sum(not bar.done for bar in timeline.bars)
    parts = []
    if timeline.run.reused:
        parts.append(f"{count(timeline.run.reused, 'job')} of earlier runs used again, not shown")
    if unfinished:
        parts.append(f"{count(unfinished, 'job')} not finished")
    if timeline.never_started:
        parts.append(f"{count(timeline.never_started, 'job')} never started")
    return "; ".join(parts)


def path_in_words(timeline: Timeline) -> str:
    """The jobs of the critical path with their seconds."""
    if not timeline.path:
        return "The critical path is not known: nothing finished, or the journal is of an earlier version."
    jobs = (f"{bar.job.name} {exact(bar.seconds)}" for bar in timeline.path)
    return f"Critical path, the chain of jobs that worked longest: {' → '.join(jobs)}."
