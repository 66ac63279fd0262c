"""Reading journals of real runs: jobs, attempts, groups, SLURM ids, and what a torn file does."""

import json

import pytest

from segguided.status.journal import FOLDER
from segguided.status.run import JournalReader, journals
from support.status_scenes import RECORDED, recorded


def states(run):
    return {job.name: job.state for job in run.jobs.values()}


def test_a_finished_run(tmp_path):
    run = recorded("finished", tmp_path)
    assert (run.end, run.stopping, run.results) == ("finished", None, "results")
    assert run.totals == {
        "write_phantom": 4,
        "prepare_patient": 4,
        "train_diffusion": 1,
        "generate_diffusion": 1,
    }
    assert set(states(run).values()) == {"finished"}
    assert len(run.jobs) == 10
    training = next(job for job in run.jobs.values() if job.rule == "train_diffusion")
    assert training.name == "train_diffusion breast-phantom/segguided/seed0"
    assert training.outputs[0] == "results/runs/breast-phantom/segguided/seed0/model.safetensors"
    assert training.logs == ["logs/train_diffusion/breast-phantom/segguided/seed0.log"]
    assert (training.gpus, training.local, training.attempt) == (1, True, 1)


def test_failures_keep_what_the_next_attempt_deletes(tmp_path):
    run = recorded("failed", tmp_path)
    assert run.end == "failed"
    failed = {job.name: job for job in run.in_state("failed")}
    assert set(failed) == {
        "prepare_patient breast-phantom/tiny_1",
        "train_diffusion breast-phantom/unconditional/seed0",
        "train_diffusion breast-phantom/segguided-mat/seed0",
    }
    for job in failed.values():
        assert [failure.attempt for failure in job.failures] == [1, 2]
    bad = failed["prepare_patient breast-phantom/tiny_1"].failures[0]
    assert bad.status == 1
    assert "Rows is missing" in bad.logs["logs/prepare_patient/breast-phantom/tiny_1.log"]
    assert failed["train_diffusion breast-phantom/segguided-mat/seed0"].failures[1].status == 137


def test_a_killed_run_has_no_end(tmp_path):
    run = recorded("killed", tmp_path)
    assert (run.end, run.pid) == (None, 22108)
    assert [job.name for job in run.in_state("started")] == ["train_diffusion breast-phantom/segguided/seed0"]


def test_what_stops_with_ctrl_c_did_not_fail(tmp_path):
    run = recorded("interrupted", tmp_path)
    assert (run.stopping, run.end) == ("SIGINT", "failed")
    assert states(run) == {"train_diffusion breast-phantom/segguided/seed0": "stopped"}


def test_slurm_ids_follow_the_attempts(tmp_path):
    run = recorded("slurm", tmp_path, lines=31)
    assert run.slurm_run.startswith("segguided_")
    slurm = {job.name.split()[1]: (job.slurm, job.attempt, job.state) for job in run.jobs.values()}
    assert slurm["breast-phantom/segguided/seed0"] == ("18", 2, "started")
    assert slurm["breast-phantom/segguided-mat/seed0"] == ("16", 2, "failed")
    assert slurm["breast-phantom/tiny_4"] == ("11", 1, "finished")
    last = run.jobs["4"].failures[-1]
    assert "SLURM status is: 'FAILED'" in last.message
    assert any("oom-kill" in text for text in last.logs.values())


def test_a_group_is_submitted_and_fails_as_one(tmp_path):
    run = recorded("group", tmp_path)
    assert {job.slurm for job in run.jobs.values()} == {"22"}
    assert len({job.group for job in run.jobs.values()}) == 1
    assert all("22.log" in next(iter(job.failures[0].logs)) for job in run.jobs.values())


def test_reading_goes_on_where_it_stopped_and_leaves_half_a_line(tmp_path):
    text = (RECORDED / "finished.jsonl").read_bytes()
    path = tmp_path / "run.jsonl"
    reader = JournalReader(path)
    seen = []
    for end in range(0, len(text) + 1, 97):
        path.write_bytes(text[:end])
        seen.append(len(reader.read().in_state("finished")))
    path.write_bytes(text)
    assert reader.read().end == "finished"
    assert seen == sorted(seen)
    assert len(reader.run.jobs) == 10
    assert {job.attempt for job in reader.run.jobs.values()} == {1}


def test_a_line_of_rubbish_is_passed_over(tmp_path):
    lines = (RECORDED / "finished.jsonl").read_text().splitlines()
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join([lines[0], "\0\0{", json.dumps({"event": "unheard of"}), *lines[1:]]) + "\n")
    assert JournalReader(path).read().end == "finished"


def test_the_newest_journal_comes_last(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    names = [
        "2026-01-02T030405.000000-9.jsonl",
        "2026-01-02T030405.000000-10.jsonl",
        "2025-12-31T0.0-1.jsonl",
    ]
    for name in names:
        (folder / name).touch()
    assert journals(tmp_path)[0].name == names[2]
    assert not journals(tmp_path / "elsewhere")


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("*.jsonl")))
def test_every_recorded_event_is_understood(name):
    events = {json.loads(line)["event"] for line in (RECORDED / f"{name}.jsonl").read_text().splitlines()}
    assert all(hasattr(JournalReader, f"_on_{event}") for event in events)
