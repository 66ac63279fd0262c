"""What a cluster does to a job, each tried on a real one: nothing is lost and the tables stay the same."""

import os
import signal
import subprocess
import sys

from segguided.training.attempts import read_attempts
from segguided.training.wall_time import SHORTEST_MARGIN
from support.miniature import snakemake
from support.on_cluster import (  # fmt: skip
    ONE_MODEL,
    RUN,
    SLURM,
    TRAIN,
    assert_as_undisturbed,
    finish,
    in_training,
    log_of_training,
    printed,
    start,
    wait_until,
)


def test_cancelled_job_continues_in_another(cluster, untrained, reference):
    running, job = in_training(cluster, untrained)
    cluster.ask("scancel", job)
    finish(running, untrained)
    assert "resuming after step" in log_of_training(untrained)
    assert_as_undisturbed(untrained, reference)


def test_requeued_job_continues(cluster, untrained, reference):
    """What a preemption does: SLURM stops the job and runs it again under the same number."""
    running, job = in_training(cluster, untrained)
    cluster.ask("scontrol", "requeue", job)
    wait_until(lambda: cluster.state(job) == "PENDING", f"job {job} in the queue again")
    cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now")  # else after two minutes
    finish(running, untrained)
    assert "resuming after step" in log_of_training(untrained)
    assert "Trying to restart" not in printed(untrained), "one job, run twice"
    assert_as_undisturbed(untrained, reference)


def test_out_of_memory_is_tried_again_with_more(cluster, untrained, reference):
    running = start(untrained, *TRAIN, "--set-resources", "train_diffusion:mem_mb=350*attempt*attempt")
    finish(running, untrained)
    logs = (untrained / ".snakemake/slurm_logs/rule_train_diffusion").rglob("*.log")
    assert any("oom-kill event" in path.read_text() for path in logs)
    assert_as_undisturbed(untrained, reference)


def test_interrupted_snakemake_cancels_its_jobs_and_continues(cluster, untrained, reference):
    running, _ = in_training(cluster, untrained)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=60) != 0
    finish(start(untrained, *TRAIN), untrained)
    assert "resuming after step" in log_of_training(untrained)
    assert_as_undisturbed(untrained, reference)


def test_killed_snakemake_is_continued_by_one_command(cluster, untrained, reference):
    running, orphan = in_training(cluster, untrained)
    running.kill()
    running.wait()
    with cluster.paused(orphan):
        locked = snakemake(untrained, *TRAIN)
        assert locked.returncode != 0
        assert "python scripts/resume.py" in locked.stdout + locked.stderr
        snakemake(untrained, *TRAIN, "--unlock")
        refused = snakemake(untrained, *TRAIN)
        assert refused.returncode != 0
        assert (
            f"1 SLURM jobs of an earlier Snakemake still run or wait in {untrained}: {orphan}"
            in refused.stderr
        )
        assert cluster.state(orphan) == "SUSPENDED", "a refused start leaves it in peace"
    resumed = subprocess.run(
        [sys.executable, "scripts/resume.py", *TRAIN],
        cwd=untrained,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert f"ended SLURM job {orphan} (train_diffusion" in resumed.stderr
    assert "resuming after step" in log_of_training(untrained)
    assert_as_undisturbed(untrained, reference)


def test_second_snakemake_in_a_folder_is_told_of_the_lock(cluster, untrained, reference):
    running, job = in_training(cluster, untrained)
    with cluster.paused(job):
        second = snakemake(untrained, *TRAIN)
        assert second.returncode != 0
        assert "makes some of the same files there; wait until it has ended" in second.stdout + second.stderr
        resume = subprocess.run(
            [sys.executable, "scripts/resume.py", *TRAIN], cwd=untrained, capture_output=True, text=True
        )
        assert resume.returncode == 1
        assert f"error: Snakemake still runs in {untrained} (process {running.pid})" in resume.stderr
    finish(running, untrained)
    assert_as_undisturbed(untrained, reference)


def test_wall_time_too_short_takes_several_attempts(cluster, untrained, reference):
    """The first one's minute passes without enough steps; it saves itself just before, the next continues."""
    running, job = in_training(cluster, untrained, "--set-resources", "train_diffusion:runtime=1")
    (attempt,) = read_attempts(untrained / RUN / "attempts.json")
    os.kill(attempt.pid, signal.SIGSTOP)
    wait_until(lambda: cluster.seconds_left(job) <= SHORTEST_MARGIN + 3, "the end of the job's minute")
    os.kill(attempt.pid, signal.SIGCONT)
    finish(running, untrained)
    assert "the job's time is nearly over: saved after step" in printed(untrained)
    assert "resuming after step" in log_of_training(untrained)
    assert_as_undisturbed(untrained, reference)


def test_broken_patient_stops_no_other(cluster, untrained):
    """Of a group, the patients before and after it are sliced."""
    slices = untrained / "results/slices/breast-phantom"
    for path in slices.iterdir():
        path.unlink()
    broken = next((untrained / "results/raw/breast-phantom/images/tiny_2").iterdir())
    broken.write_bytes(broken.read_bytes()[:700])
    result = snakemake(
        untrained, "results/data/breast-phantom/splits.csv", *ONE_MODEL, *SLURM, "--retries", "1"
    )
    assert result.returncode != 0
    assert f"error: {broken.relative_to(untrained)}" in result.stdout + result.stderr
    assert sorted(path.name for path in slices.iterdir()) == ["tiny_1.npz", "tiny_3.npz", "tiny_4.npz"]
