"""GPU hours: trainings by all their attempts, other jobs by their benchmark, CPU runs apart."""

import pytest

from segguided.status.hours import hours_by_rule
from support.status_scenes import attempt, recorded, write_attempts


def by_rule(folder, *runs):
    return {hours.rule: hours for hours in hours_by_rule(folder, "results", runs)}


def test_trainings_are_summed_over_attempts_and_runs(tmp_path):
    runs = tmp_path / "results/runs/breast-phantom"
    killed = attempt(0, 1800, gpus=4, state="killed")
    write_attempts(runs / "a/seed0", killed, attempt(2000, 3600, gpus=2, state="finished"))
    write_attempts(runs / "b/seed0", attempt(0, 7200, gpus=0, device="cpu"))
    write_attempts(runs / "c/seed0/latent", attempt(0, 360, script="train_latent_diffusion"))
    hours = by_rule(tmp_path)
    assert hours["train_diffusion"].gpu == pytest.approx(0.5 * 4 + 1 * 2)
    assert hours["train_diffusion"].cpu == pytest.approx(2)
    assert (hours["train_diffusion"].jobs, hours["train_diffusion"].attempts) == (2, 3)
    assert hours["train_latent_diffusion"].gpu == pytest.approx(0.1)
    assert next(iter(hours)) == "train_diffusion", "the most expensive rule comes first"


def test_other_gpu_jobs_count_by_their_benchmark_where_they_had_a_gpu(tmp_path):
    run = recorded("finished", tmp_path)
    job = next(job for job in run.jobs.values() if job.rule == "generate_diffusion")
    benchmark = tmp_path / job.benchmark
    log = tmp_path / job.logs[0]
    for path in (benchmark, log):
        path.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\n7200.5\t2:00:00\n")
    log.write_text("device: NVIDIA A100\ngenerated 4 of 4 images\n")
    assert by_rule(tmp_path, run, run)["generate_diffusion"].gpu == pytest.approx(2, abs=1e-3)
    log.write_text("device: cpu\n")
    hours = by_rule(tmp_path, run)["generate_diffusion"]
    assert (hours.gpu, hours.cpu) == (0, pytest.approx(2, abs=1e-3))
    job.slurm = "34"  # which allocated a GPU, whatever the job did with it
    assert by_rule(tmp_path, run)["generate_diffusion"].gpu == pytest.approx(2, abs=1e-3)
    benchmark.write_text("rubbish")
    assert not by_rule(tmp_path, run)


def test_a_damaged_record_is_left_out(tmp_path):
    folder = tmp_path / "results/runs/a"
    folder.mkdir(parents=True)
    (folder / "attempts.json").write_text("[{")
    write_attempts(tmp_path / "results/runs/b", attempt(0, 3600))
    assert by_rule(tmp_path)["train_diffusion"].gpu == pytest.approx(1)
