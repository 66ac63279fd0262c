"""What a view says in each state: above all that nothing dead is called running."""

import os
import time

import pytest

from segguided.status.facts import where_of
from segguided.status.surroundings import JobProcess
from support.status_scenes import (
    RUN,
    SCENES,
    World,
    attempt,
    recorded,
    scene,
    slurm_job,
    trainer,
    view,
    write_attempts,
)

TITLES = {
    "nothing": "Nothing has run here yet",
    "starting": "Snakemake is starting",
    "running": "Running",
    "retrying": "Running",
    "finished": "Finished",
    "failed": "Stopped with errors",
    "group_failed": "Stopped with errors",
    "interrupted": "Interrupted",
    "orphaned": "Snakemake was killed",
    "slurm_orphaned": "Snakemake was killed",
    "killed": "Snakemake was killed",
    "away": "No sign of life for 1 h 00 min",
}


def names(rows):
    return [row.job.name for row in rows]


@pytest.mark.parametrize("name", SCENES)
def test_title(tmp_path, name):
    assert scene(name, tmp_path / name).state.title == TITLES[name]


@pytest.mark.parametrize(
    "name", ["nothing", "finished", "failed", "group_failed", "interrupted", "killed", "away"]
)
def test_nothing_runs_where_nothing_lives(tmp_path, name):
    shown = scene(name, tmp_path / name)
    assert not shown.running
    assert not shown.queued
    assert not shown.orphans
    assert sum(rule.running for rule in shown.rules) == 0


def test_a_running_training_tells_step_loss_speed_and_time_left(tmp_path):
    shown = scene("running", tmp_path / "a")
    assert (shown.done, shown.total, shown.waiting) == (3, 6, 2)
    (row,) = shown.running
    progress = row.progress
    assert (row.life, progress.done, progress.total, progress.unit) == ("running", 1500, 6000, "step")
    assert progress.seconds_left == pytest.approx((6000 - 1500) * 4 / 80)
    assert (progress.losses, progress.attempts, progress.device) == ({"loss": 0.136}, 1, "NVIDIA A100")
    assert not shown.command


def test_a_running_training_names_its_newest_preview(tmp_path):
    scene("running", tmp_path)
    run = f"{RUN}/segguided/seed0"
    (tmp_path / run / "previews").mkdir()
    for step in (500, 1500, 1000):
        (tmp_path / run / f"previews/step{step:08d}.png").touch()
    shown = view(
        recorded("killed", tmp_path), tmp_path, World(True, (trainer(22185, "segguided"),), after=90)
    )
    (row,) = shown.running
    assert row.progress.preview == f"{run}/previews/step00001500.png"
    assert f"preview {run}/previews/step00001500.png" in where_of(row, shown.now)


def test_a_job_without_a_process_is_not_called_running(tmp_path):
    """Snakemake lives: the job is starting, or its end is not noticed yet; its record may say running."""
    scene("running", tmp_path)
    (row,) = view(recorded("killed", tmp_path), tmp_path, World(True)).running
    assert row.life == "starting"
    for path in row.job.outputs:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (row,) = view(recorded("killed", tmp_path), tmp_path, World(True)).running
    assert row.life == "ending"


def test_a_killed_run_is_resumed_by_one_command(tmp_path):
    shown = scene("killed", tmp_path)
    (row,) = shown.gone
    assert row.life == "gone"
    assert row.progress.done == 1500
    assert shown.command.text.startswith("python scripts/resume.py results/runs/")
    assert shown.command.text.endswith(" --configfile workflow/miniature.yaml --cores 2 --rerun-incomplete")


def test_after_ctrl_c_the_same_command_goes_on(tmp_path):
    shown = scene("interrupted", tmp_path)
    assert shown.command.text.startswith("snakemake results/runs/")


def test_what_is_left_of_an_interrupted_run_is_ended_too(tmp_path):
    run = recorded("interrupted", tmp_path)
    shown = view(run, tmp_path, World(False, (trainer(3, "segguided"),)))
    assert [orphan.pid for orphan in shown.orphans] == [3]
    assert shown.command.text.startswith("python scripts/resume.py results/runs/")


def test_orphans_on_this_machine_are_told(tmp_path):
    shown = scene("orphaned", tmp_path)
    assert names(shown.running) == ["train_diffusion breast-phantom/segguided/seed0"]
    (orphan,) = shown.orphans
    assert (orphan.pid, orphan.what) == (22185, "train_diffusion breast-phantom/segguided/seed0")


def test_orphans_in_slurm_are_told_and_not_those_of_other_folders(tmp_path):
    shown = scene("slurm_orphaned", tmp_path)
    (orphan,) = shown.orphans
    assert (orphan.slurm, orphan.what) == ("17", "train_spade breast-phantom/spade/seed0, running")


def test_a_cancelled_job_that_is_still_ending_is_an_orphan(tmp_path):
    run = recorded("slurm", tmp_path)
    shown = view(run, tmp_path, World(False, queue=(slurm_job("17", "COMPLETING"),)))
    assert [orphan.what for orphan in shown.orphans] == ["train_spade breast-phantom/spade/seed0, completing"]
    assert [row.life for row in shown.running] == ["ending"]


def test_jobs_of_an_earlier_run_are_orphans_also_while_the_next_one_runs(tmp_path):
    run = recorded("slurm", tmp_path, lines=31)
    left = slurm_job("9", "RUNNING", run="segguided_00000000-0000-0000-0000-000000000000")
    shown = view(run, tmp_path, World(True, queue=(slurm_job("18", "RUNNING"), left)))
    assert [orphan.slurm for orphan in shown.orphans] == ["9"]
    local = recorded("killed", tmp_path)
    other = JobProcess(5, frozenset({"python", "scripts/train_spade.py", "--output", "x"}))
    shown = view(local, tmp_path, World(True, (trainer(4, "segguided"), other)))
    assert [(orphan.pid, orphan.what) for orphan in shown.orphans] == [(5, "scripts/train_spade.py")]


def test_retries_queue_and_failures_side_by_side(tmp_path):
    shown = scene("retrying", tmp_path)
    assert names(shown.running) == [
        "train_diffusion breast-phantom/segguided/seed0",
        "train_diffusion breast-phantom/unconditional/seed0",
    ]
    assert names(shown.queued) == ["train_spade breast-phantom/spade/seed0"]
    assert [(trouble.job.id, trouble.diagnosis.kind) for trouble in shown.failed] == [("4", "memory")]
    assert sorted(
        (trouble.job.id, trouble.failure.attempt, trouble.diagnosis.kind) for trouble in shown.retried
    ) == [
        ("4", 1, "memory"),
        ("5", 1, "time"),
        ("6", 1, "time"),
    ]
    counts = {rule.rule: (rule.running, rule.queued, rule.failed) for rule in shown.rules}
    assert counts["train_diffusion"] == (2, 0, 1)
    assert counts["train_spade"] == (0, 1, 0)
    progress = shown.running[0].progress
    assert (progress.attempts, progress.device) == (2, "2 × NVIDIA A100")
    steps = [step for step, _ in progress.curve]
    assert steps == sorted(steps)
    assert (steps[0] < 1800 < steps[-1], len(progress.curve)) == (True, 80)


def test_a_slurm_job_that_left_the_queue_is_ending_not_running(tmp_path):
    shown = view(recorded("slurm", tmp_path, lines=31), tmp_path, World(True, queue=()))
    assert {row.life for row in shown.running} == {"ending"}


def test_a_job_that_slurm_put_back_into_its_queue_waits(tmp_path):
    shown = view(
        recorded("slurm", tmp_path, lines=31), tmp_path, World(True, queue=(slurm_job("18", "REQUEUED"),))
    )
    assert names(shown.queued) == ["train_diffusion breast-phantom/segguided/seed0"]


def test_without_squeue_slurm_jobs_are_not_visible(tmp_path):
    around = World(True, queue=None, trouble="squeue: Unable to contact slurm controller")
    shown = view(recorded("slurm", tmp_path, lines=31), tmp_path, around)
    assert not shown.running
    assert {row.life for row in shown.unseen} == {"unknown"}
    assert shown.notes == ["squeue: Unable to contact slurm controller"]


def test_the_record_of_an_earlier_attempt_is_not_taken_for_the_running_one(tmp_path):
    run = recorded("slurm", tmp_path, lines=31)
    before = attempt(run.begun, 60, first_step=0, step=25, slurm_job="13")
    write_attempts(tmp_path / RUN / "segguided/seed0", before)
    shown = view(run, tmp_path, World(True, queue=(slurm_job("18", "RUNNING"),)))
    assert shown.running[0].progress is None


def test_nor_that_of_an_earlier_run_on_this_machine(tmp_path):
    scene("running", tmp_path)
    run = recorded("killed", tmp_path)
    run.jobs["0"].started += 60
    (row,) = view(run, tmp_path, World(True, (trainer(1, "segguided"),))).running
    assert (row.life, row.progress) == ("running", None)


def test_another_host_is_judged_by_the_heartbeat(tmp_path):
    run = recorded("killed", tmp_path)
    fresh = view(run, tmp_path, World(None, None, after=60))
    assert (fresh.state.kind, [row.life for row in fresh.unseen]) == ("running", ["unknown"])
    silent = view(run, tmp_path, World(None, None, after=600))
    assert (silent.state.kind, silent.command) == ("away", None)


def test_a_group_fails_with_the_member_that_explains_it(tmp_path):
    (trouble,) = scene("group_failed", tmp_path).failed
    assert (trouble.job.name, trouble.others) == ("prepare_patient breast-phantom/tiny_1", 5)
    assert trouble.diagnosis.what == "tiny_1: the mask has 5 slices, the image 6; fetch it again"


def test_a_running_group_is_one_row(tmp_path):
    run = recorded("group", tmp_path, lines=9)
    shown = view(run, tmp_path, World(True, queue=(slurm_job("22", "RUNNING", run.slurm_run),)))
    (row,) = shown.running
    assert len(row.group) == 6
    assert sum(rule.running for rule in shown.rules) == 6


def test_gpu_hours_are_summed_over_attempts(tmp_path):
    (hours,) = scene("retrying", tmp_path).hours
    assert (hours.rule, hours.jobs, hours.attempts) == ("train_diffusion", 1, 2)
    assert hours.gpu == pytest.approx((0.5 + 600 / 3600) * 2)


def test_a_stopping_run_says_so(tmp_path):
    run = recorded("killed", tmp_path)
    run.stopping = "SIGTERM"
    shown = view(run, tmp_path, World(True, (trainer(1, "segguided"),)))
    assert (shown.state.kind, shown.state.title) == ("stopping", "Stopping after SIGTERM")


def test_a_new_snakemake_that_plans_hides_no_orphan(tmp_path):
    run = recorded("slurm", tmp_path)
    shown = view(
        run, tmp_path, World(False, queue=(slurm_job("17", "RUNNING"),), commands=((8, "snakemake all"),))
    )
    assert shown.state.kind == "starting"
    assert [orphan.slurm for orphan in shown.orphans] == ["17"]


def test_an_error_of_snakemake_itself_is_told(tmp_path):
    run = recorded("killed", tmp_path)
    run.fatal.append("WorkflowError:\nFailed to open source file")
    shown = view(run, tmp_path, World())
    assert shown.state.kind == "failed"
    assert "Failed to open source file" in shown.state.detail


def test_saved_is_the_time_of_the_resume_file(tmp_path):
    scene("running", tmp_path)
    saved = tmp_path / RUN / "segguided/seed0/resume.pt"
    saved.touch()
    os.utime(saved, (time.time(), 1.7e9))
    (row,) = view(recorded("killed", tmp_path), tmp_path, World(True, (trainer(1, "segguided"),))).running
    assert row.progress.saved == 1.7e9


def test_a_damaged_record_of_attempts_hides_nothing_else(tmp_path):
    scene("running", tmp_path)
    (tmp_path / RUN / "segguided/seed0/attempts.json").write_text("[{")
    (row,) = view(recorded("killed", tmp_path), tmp_path, World(True, (trainer(1, "segguided"),))).running
    assert (row.life, row.progress) == ("running", None)


def test_generation_is_followed_by_its_log(tmp_path):
    run = recorded("finished", tmp_path, lines=-2)
    job = run.in_state("started")[-1]
    log = tmp_path / job.logs[0]
    log.parent.mkdir(parents=True)
    log.write_text("device: cpu\ngenerated 12 of 12 images\ngenerated 2 of 6 images\n")
    os.utime(log, (job.started, job.started + 28))
    process = JobProcess(3, frozenset({"python", "scripts/generate_diffusion.py", job.outputs[1]}))
    (row,) = view(run, tmp_path, World(True, (process,))).running
    progress = row.progress
    assert (progress.done, progress.total, progress.unit) == (2, 6, "image")
    assert progress.images_per_second == pytest.approx(0.5)
    assert progress.seconds_left == pytest.approx(8)
