"""Status beside a real cluster: of a job that runs, was cancelled, waits, and lost its Snakemake."""

import shlex

from segguided.status.follow import Watcher
from segguided.training.attempts import read_attempts
from support.miniature import environment, in_foreground
from support.on_cluster import TRAIN, WEIGHTS, finish, start, wait_for_checkpoint, wait_until

NAME = "train_diffusion breast-phantom/segguided/seed0"


def rows(watcher, part):
    return {row.job.slurm: row for row in getattr(watcher.look(), part)}


def test_status_of_a_training_that_is_cancelled_held_and_orphaned(cluster, untrained):
    running = start(untrained, *TRAIN)
    watcher = Watcher(untrained)
    first = cluster.job(untrained)
    wait_until(lambda: (row := rows(watcher, "running").get(first)) and row.progress, "its first step")
    row = rows(watcher, "running")[first]
    assert (row.job.name, row.life, row.progress.attempts) == (NAME, "running", 1)
    assert read_attempts((untrained / WEIGHTS).with_name("attempts.json"))[0].slurm_job == first

    wait_for_checkpoint(untrained)
    cluster.ask("scancel", first)
    wait_until(lambda: watcher.look().retried, "the failed attempt")
    (failed,) = watcher.look().retried
    assert failed.diagnosis.kind == "cancelled", failed.failure
    second = cluster.job(untrained)
    wait_until(lambda: (row := rows(watcher, "running").get(second)) and row.progress, "its second attempt")
    assert rows(watcher, "running")[second].progress.attempts == 2

    cluster.ask("scontrol", "requeuehold", second)
    wait_until(lambda: second in rows(watcher, "queued"), "the held job in the queue")
    assert not watcher.look().running
    cluster.ask("scontrol", "release", second)

    running.kill()
    running.wait()
    view = watcher.look()
    assert (view.state.kind, [orphan.slurm for orphan in view.orphans]) == ("killed", [second])
    again = shlex.split(view.command.text)
    assert again[:2] == ["python", "scripts/resume.py"]
    with (untrained / "snakemake.txt").open("a") as out:
        resumed = in_foreground(again, cwd=untrained, stdout=out, stderr=out, env=environment())
    finish(resumed, untrained)
    view = watcher.look()
    assert (view.state.kind, view.orphans, view.command) == ("finished", [], None)
    attempts = read_attempts((untrained / WEIGHTS).with_name("attempts.json"))
    (hours,) = [cost for cost in view.hours if cost.rule == "train_diffusion"]
    assert hours.attempts == len(attempts) >= 3
    assert attempts[-1].state == "finished"
    assert sum(attempt.hours for attempt in attempts) == hours.cpu
