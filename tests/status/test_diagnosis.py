"""What is said of a failed attempt: each kind of failure, from real messages, and what to do."""

import pytest

from segguided.status.diagnosis import Evidence, diagnose, evidence_of, shown_lines
from support.status_scenes import recorded

SLURM = "SLURM-job '34' failed, SLURM status is: '{}'. Detailed failure reason unavailable"
STEPD = "slurmstepd: error: *** {} ON n1 CANCELLED AT 2026-11-24T18:00:00{} ***"
REFUSED = "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition'.\n    call"
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n{}'


def evidence(message="", status=1, log="", around="", again=False):
    return Evidence("train_spade", message, status, log, around, again)


@pytest.mark.parametrize(
    ("case", "kind", "what"),
    [
        (
            {"log": "error: a.nii.gz: no such file; download it"},
            "input",
            "a.nii.gz: no such file; download it",
        ),
        ({"status": 137}, "memory", "killed (SIGKILL), most likely out of memory"),
        (
            {"log": "error: process 2 of 3 was killed by SIGKILL (SIGKILL may mean …)"},
            "memory",
            "killed (SIGKILL), most likely out of memory",
        ),
        ({"status": -9}, "memory", "killed (SIGKILL), most likely out of memory"),
        ({"message": SLURM.format("OUT_OF_MEMORY")}, "memory", "out of memory"),
        ({"log": TRACEBACK.format("MemoryError")}, "memory", "out of memory"),
        (
            {"around": "slurmstepd: error: Detected 1 oom_kill event in StepId=3.0."},
            "memory",
            "out of memory",
        ),
        (
            {"log": TRACEBACK.format("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB")},
            "memory",
            "out of GPU memory",
        ),
        (
            {
                "status": 75,
                "log": "epoch=1\nSIGUSR1: saved after step 44 in resume.pt; the same command resumes",
            },
            "time",
            "time was up, saved at step 44",
        ),
        (
            {
                "status": 75,
                "log": "the job's time is nearly over: saved after step 44 in resume.pt; the same",
            },
            "time",
            "time was up, saved at step 44",
        ),
        (
            {"status": 75, "log": "SIGTERM: saved after step 44 in resume.pt; the same command resumes"},
            "cancelled",
            "stopped (SIGTERM), saved at step 44",
        ),
        ({"message": SLURM.format("TIMEOUT")}, "time", "ran into its time limit"),
        (
            {"around": STEPD.format("JOB 3", " DUE TO TIME LIMIT")},
            "time",
            "ran into its time limit",
        ),
        ({"message": SLURM.format("NODE_FAIL")}, "node", "its node failed"),
        ({"message": SLURM.format("CANCELLED")}, "cancelled", "cancelled"),
        (
            {"around": STEPD.format("STEP 3.0", "")},
            "cancelled",
            "cancelled",
        ),
        ({"message": SLURM.format("PREEMPTED")}, "cancelled", "preempted"),
        ({"status": 143}, "cancelled", "cancelled"),
        (
            {"message": REFUSED},
            "submission",
            "SLURM refused the job",
        ),
        (
            {"log": "error: no room to write a.npz (3 MB free there); free some space"},
            "disk",
            "the disk is full",
        ),
        (
            {"log": TRACEBACK.format("OSError: [Errno 28] No space left on device")},
            "disk",
            "the disk is full",
        ),
        (
            {"log": TRACEBACK.format("ModuleNotFoundError: No module named 'torch'")},
            "environment",
            "torch is not installed where the job ran",
        ),
        (
            {"status": 127, "log": "/usr/bin/bash: line 1: python: command not found"},
            "environment",
            "python is not installed where the job ran",
        ),
        (
            {"around": "MissingOutputException in rule x: Missing files after 60 seconds"},
            "files",
            "its output did not appear",
        ),
        (
            {"log": TRACEBACK.format("RuntimeError: CUDA error: an illegal memory access was encountered")},
            "node",
            "CUDA error: an illegal memory access was encountered",
        ),
        ({"log": TRACEBACK.format("KeyError: 'x'")}, "defect", "KeyError: 'x'"),
        ({"status": 3}, "unknown", "failed without a word (exit status 3)"),
        ({"status": 3, "log": "half a line"}, "unknown", "failed (exit status 3)"),
        ({"status": None}, "unknown", "failed without a word (no reason given)"),
        ({"status": None, "message": SLURM.format("FAILED")}, "unknown", "failed without a word (failed)"),
    ],
)
def test_each_kind(case, kind, what):
    diagnosis = diagnose(evidence(**case))
    assert (diagnosis.kind, diagnosis.what) == (kind, what)
    assert diagnosis.advice
    assert not diagnosis.advice.endswith(".")


def test_what_sbatch_said_is_repeated():
    message = "SLURM sbatch failed. The error message was 'sbatch: error: invalid account'.\n"
    assert "sbatch: error: invalid account" in diagnose(evidence(message)).advice


def test_advice_depends_on_whether_it_is_tried_again():
    log = "SIGUSR1: saved after step 44 in resume.pt; the same command resumes"
    assert "the next attempt continues there" in diagnose(evidence(log=log, again=True)).advice
    assert "the same command continues there" in diagnose(evidence(log=log)).advice
    memory = diagnose(evidence(status=137)).advice
    assert memory == "the same command with more: --set-resources train_spade:mem_mb=…"
    assert "the next attempt asks for more" in diagnose(evidence(status=137, again=True)).advice


def test_a_sentence_of_ours_in_an_older_line_does_not_hide_a_kill():
    log = "error: a download failed, trying again\nepoch=1"
    assert diagnose(evidence(status=137, log=log)).kind == "memory"


def test_recorded_failures(tmp_path):
    run = recorded("slurm", tmp_path)
    diagnoses = {
        (job.id, failure.attempt): diagnose(evidence_of(job, failure))
        for job in run.jobs.values()
        for failure in job.failures
    }
    assert {key: diagnosis.kind for key, diagnosis in diagnoses.items()} == {
        ("4", 1): "memory",
        ("4", 2): "memory",
        ("5", 1): "time",
        ("5", 2): "time",
        ("6", 1): "time",
        ("6", 2): "time",
    }
    assert diagnoses["5", 1].what == "time was up, saved at step 25"
    assert "the next attempt" in diagnoses["5", 1].advice
    assert "the same command" in diagnoses["5", 2].advice


def test_lines_of_the_rule_or_where_it_is_silent_of_slurm_without_snakemakes_noise(tmp_path):
    job = recorded("slurm", tmp_path).jobs["4"]
    lines = shown_lines(evidence_of(job, job.failures[0])).splitlines()
    assert len(lines) == 2
    assert "Detected 1 oom-kill event" in lines[0]
    assert shown_lines(evidence(log="a\nb\n", around="noise")) == "a\nb"
