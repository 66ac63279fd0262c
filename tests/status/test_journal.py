"""The journal as Snakemake's events make it, and that it never disturbs a run."""

import json
import logging
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from segguided.status import journal as module
from segguided.status.journal import Journal, follow
from segguided.status.run import JournalReader


@pytest.fixture
def logger():
    logger = logging.Logger("snakemake")
    yield logger
    for handler in logger.handlers:
        handler.close()


def lines(journal):
    return [json.loads(line) for line in journal.path.read_text().splitlines()]


def job_info(logger, **changes):
    fields = {
        "event": "job_info",
        "jobid": 3,
        "rule_name": "train_spade",
        "rule_msg": "Training",
        "wildcards": {"seed": "0"},
        "input": [],
        "output": ["a/model.safetensors"],
        "log": ["a.log"],
        "benchmark": None,
        "local": True,
        "resources": {"gpu": 2},
    }
    logger.info(" Rule: train_spade, Jobid: 3", extra={**fields, **changes})


def job_error(logger, **changes):
    fields = {
        "event": "job_error",
        "jobid": 3,
        "rule_msg": None,
        "log": [],
        "shellcmd": "python a.py > a.log",
    }
    logger.error("Error in rule", extra={**fields, **changes})


def test_nothing_is_written_before_a_run_begins(logger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = follow(logger)
    job_info(logger)
    job_error(logger)
    assert journal.path is None
    assert not list(tmp_path.iterdir())


def test_a_run_from_begin_to_end(logger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = follow(logger)
    logger.info("stats", extra={"event": "run_info", "stats": {"train_spade": 1, "total": 1}})
    logger.info("SLURM run ID: segguided_1")
    journal.begin("results/demo")
    job_info(logger)
    logger.info("Job 3 has been submitted with SLURM jobid 34 (log: /x/34.log).")
    logger.info("Trying to restart job 3.")
    logger.info("Finished jobid: 3 (Rule: train_spade)", extra={"event": "job_finished", "job_id": 3})
    logger.info(None, extra={"event": "progress", "done": 1, "total": 1})
    journal.end("finished")
    begin, job, submitted, restart, finished, end = lines(journal)
    assert begin["stats"] == {"train_spade": 1}
    assert (begin["pid"], begin["results"], begin["slurm_run"]) == (
        os.getpid(),
        "results/demo",
        "segguided_1",
    )
    assert (job["id"], job["rule"], job["wildcards"], job["gpus"]) == ("3", "train_spade", {"seed": "0"}, 2)
    assert (submitted["id"], submitted["slurm"], submitted["log"]) == ("3", "34", "/x/34.log")
    assert (restart["event"], finished["event"], end["state"]) == ("restart", "finished", "finished")
    assert journal.path.parent == tmp_path / ".snakemake/segguided" or journal.path.is_file()


def test_a_failure_keeps_its_log_and_exit_status(logger, tmp_path):
    journal = follow(logger)
    journal.begin("results", tmp_path)
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {i}\n" for i in range(1000)) + "x" * 10_000)
    text = (
        "RuleException:\nCommand 'set -euo pipefail;  python a.py > a.log' returned non-zero exit status 75."
    )
    logger.error("other", extra={"event": "error", "exception": "RuleException"})
    logger.error(text, extra={"event": "error", "exception": "RuleException"})
    job_error(logger, log=[str(log), str(tmp_path / "missing.log")])
    failed = lines(journal)[-1]
    assert (failed["event"], failed["status"]) == ("failed", 75)
    assert list(failed["logs"]) == [str(log)]
    assert len(failed["logs"][str(log)]) < 1000
    job_error(logger, shellcmd="python b.py")
    assert lines(journal)[-1]["status"] is None


def test_a_signal_is_a_negative_status(logger, tmp_path):
    journal = follow(logger)
    journal.begin("results", tmp_path)
    text = "Command 'python a.py > a.log' died with <Signals.SIGKILL: 9>."
    logger.error(text, extra={"event": "error", "exception": "RuleException"})
    job_error(logger)
    assert lines(journal)[-1]["status"] == -9


def test_groups_and_their_failures(logger, tmp_path):
    journal = follow(logger)
    journal.begin("results", tmp_path)
    jobs = [
        SimpleNamespace(jobid=1, uuid=lambda: "u1", output=["1.npz"]),
        SimpleNamespace(jobid=2, uuid=lambda: "u2", output=["2.npz"]),
    ]
    logger.info("Group job g", extra={"event": "group_info", "group_id": "g", "jobs": jobs})
    (tmp_path / "34.log").write_text("oom-kill")
    errors = [{"jobid": 1}, {"jobid": 2}]
    aux = [str(tmp_path / "34.log")]
    logger.error("x", extra={"event": "group_error", "aux_logs": aux, "job_error_info": errors})
    _, group, failed = lines(journal)
    assert (group["members"], group["names"]) == (["1", "2"], ["u1", "u2"])
    assert (failed["event"], failed["members"], failed["logs"]) == (
        "group_failed",
        ["1", "2"],
        {aux[0]: "oom-kill"},
    )


def test_a_job_needs_those_of_the_same_run_that_make_its_inputs(logger, tmp_path):
    journal = follow(logger)
    journal.begin("results", tmp_path)
    member = SimpleNamespace(jobid=7, uuid=lambda: "u7", output=["7.npz"])
    logger.info("Group job g", extra={"event": "group_info", "group_id": "g", "jobs": [member]})
    job_info(logger, jobid=3, output=["3.npz", "3.json"])
    job_info(logger, jobid=4, input=["3.json", "3.npz", "7.npz", "of an earlier run"], output=["4.npz"])
    *_, first, second = lines(journal)
    assert (first["needs"], second["needs"]) == ([], ["3", "7"])


def test_the_cpu_time_of_ended_jobs_is_counted(logger, tmp_path):
    journal = follow(logger)
    journal.begin("results", tmp_path)
    job_info(logger)
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.35: pass"], check=True)
    logger.info("Finished", extra={"event": "job_finished", "job_id": 3})
    journal.end("finished")
    job = JournalReader(journal.path).read().jobs["3"]
    assert 0.3 <= job.cpu < 1  # counted in ticks of 10 ms, so a little less than was used
    assert lines(journal)[-1]["own_cpu"] > 0


def test_stops_and_errors_of_snakemake_itself(logger, tmp_path):
    journal = follow(logger)
    journal.begin("results", tmp_path)
    logger.info("Terminating processes on user request, this might take some time.")
    logger.info("Will exit after finishing currently running jobs (scheduler).")
    logger.error("WorkflowError:\nbad", extra={"event": "error", "exception": "WorkflowError"})
    expected = "WorkflowError:\nAt least one job did not complete successfully."
    logger.error(expected, extra={"event": "error", "exception": "WorkflowError"})
    _, first, second, fatal = lines(journal)
    assert (first["signal"], second["signal"], fatal["text"]) == ("SIGINT", "SIGTERM", "WorkflowError:\nbad")


def test_an_event_of_another_version_ends_the_journal_and_not_the_run(logger, tmp_path, capsys):
    journal = follow(logger)
    journal.begin("results", tmp_path)
    logger.info("x", extra={"event": "job_info", "renamed": 1})
    job_info(logger)
    assert len(lines(journal)) == 1
    assert capsys.readouterr().err.count("warning: this run's journal ends") == 1


def test_a_folder_that_cannot_be_written_costs_one_warning(logger, tmp_path, capsys):
    (tmp_path / "file").touch()
    journal = follow(logger)
    journal.begin("results", tmp_path / "file" / "folder")
    job_info(logger)
    journal.end("finished")
    assert capsys.readouterr().err.count("warning:") == 1


def test_the_heart_beats_until_the_end(logger, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    journal = follow(logger)
    journal.begin("results", tmp_path)
    os.utime(journal.path, (1, 1))
    deadline = time.monotonic() + 10
    while journal.path.stat().st_mtime == 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert time.time() - journal.path.stat().st_mtime < 20
    journal.end("finished")
    time.sleep(0.2)
    os.utime(journal.path, (1, 1))
    time.sleep(0.2)
    assert journal.path.stat().st_mtime == 1


def test_closing_twice_is_no_error():
    journal = Journal()
    journal.close()
    journal.close()
