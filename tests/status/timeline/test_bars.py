"""When jobs worked, what they cost, and the critical path: computed by hand from small journals."""

import json
import os

import pytest

from segguided.status.journal import FOLDER
from segguided.status.run import JournalReader
from segguided.status.timeline.bars import OTHER, newest_timeline, stage_of, timeline_of
from segguided.status.timeline.summary import path_in_words, summary
from support.rule_files import rule_sources
from support.status_scenes import recorded

BEGUN = 1_700_000_000.0


def begin(**changes):
    entry = {"event": "begin", "time": BEGUN, "pid": 1, "created": BEGUN, "host": "h", "command": []}
    entry |= {"folder": "/p", "results": "results", "stats": {"write_phantom": 2, "all": 1}, "reused": 3}
    return {**entry, "jobs_cpu": 1.0, **changes}


def job(name, start, needs=(), rule="write_phantom", **changes):
    entry = {"event": "job", "time": BEGUN + start, "id": name, "rule": rule, "wildcards": {"patient": name}}
    entry |= {"message": None, "output": [f"{name}.npz"], "needs": list(needs), "log": [], "local": True}
    return {**entry, "benchmark": f"{name}.tsv", "gpus": 0, **changes}


def ended(name, time, jobs_cpu=None, event="finished", **changes):
    entry = {"event": event, "time": BEGUN + time, "id": name, **changes}
    return entry if jobs_cpu is None else {**entry, "jobs_cpu": jobs_cpu}


def journal(folder, *entries, name="2026-01-01T000000.000000-1"):
    path = folder / FOLDER / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    last = entries[-1]["time"] + 4
    os.utime(path, (last, last))
    return path


END = {"event": "end", "time": BEGUN + 50, "state": "finished", "own_cpu": 5.0}
# Two chains meet in d: a (10 s) → b (5 s), and c (12 s).
DIAMOND = (
    begin(),
    job("a", 0),
    job("c", 0),
    ended("a", 10, 9.0),
    job("b", 10, ["a"], rule="train_spade"),
    ended("c", 12, 19.0),
    ended("b", 15, 23.0),
    job("d", 20, ["b", "c", "gone"], rule="evaluate_model"),
    ended("d", 26, 29.0),
    job("all", 26, ["d"], rule="all", output=[]),
    END,
)


def timeline(folder, *entries):
    return timeline_of(JournalReader(journal(folder, *entries)).read(), folder)


def test_the_critical_path_is_the_longest_chain_by_work(tmp_path):
    run = timeline(tmp_path, *DIAMOND)
    assert [bar.job.id for bar in run.path] == ["a", "b", "d"]  # 21 s; c → d is 18 s
    assert "write_phantom a 10 s → train_spade b 5.0 s → evaluate_model d 6.0 s" in path_in_words(run)
    assert "The critical path is 21 s of work, 42% of the run." in summary(run)[0]


def test_each_job_costs_what_the_sum_grew_by(tmp_path):
    run = timeline(tmp_path, *DIAMOND)
    assert {bar.job.id: bar.cpu for bar in run.bars} == {"a": 8.0, "c": 10.0, "b": 4.0, "d": 6.0}
    assert (run.cpu, run.wall, run.jobs_at_once) == (28.0, 50.0, 33 / 50)
    assert run.share_outside_computing == 18 / 28
    assert summary(run)[1].startswith("CPU time of the jobs: 28 s, of which 64% outside")
    assert summary(run)[1].endswith("Snakemake itself: 5.0 s.")


def test_a_second_attempt_adds_its_cpu_time(tmp_path):
    failure = {"message": None, "status": 1, "logs": {}}
    entries = (begin(), job("a", 0), ended("a", 4, 3.0, event="failed", **failure))
    run = timeline(tmp_path, *entries, job("a", 5), ended("a", 11, 10.0), END)
    (bar,) = run.bars
    assert (bar.cpu, bar.seconds, len(bar.job.failures)) == (9.0, 6.0, 1)


def test_an_interrupted_run_shows_what_began_until_the_last_sign_of_life(tmp_path):
    run = timeline(tmp_path, begin(stats={"write_phantom": 5}), job("a", 0), ended("a", 10, 2), job("b", 3))
    assert [(bar.job.id, bar.done, bar.seconds) for bar in run.bars] == [("a", True, 10), ("b", False, 4)]
    assert run.never_started == 3
    left_out = "3 jobs of earlier runs used again, not shown; 1 job not finished; 3 jobs never started"
    assert summary(run)[2] == left_out
    assert ", not ended: 1 job in" in summary(run)[0]


def test_a_job_of_a_cluster_worked_as_its_benchmark_says(tmp_path):
    """Submitted at 0, reported at 40 with its group, and it really ended at 30 after 12 seconds."""
    benchmark = tmp_path / "a.tsv"
    benchmark.write_text("s\th:m:s\tcpu_time\n12.0\t0:00:12\t11.5\n")
    os.utime(benchmark, (BEGUN + 30, BEGUN + 30))
    submitted = {"event": "submitted", "time": BEGUN, "id": "a", "slurm": "7", "log": "x"}
    entries = (begin(), job("a", 0, local=False), submitted, ended("a", 40, 1.2), END)
    (bar,) = timeline(tmp_path, *entries).bars
    assert [bar.submitted - BEGUN, bar.start - BEGUN, bar.end - BEGUN, bar.cpu] == [0, 18, 30, 11.5]
    os.utime(benchmark, (BEGUN - 30, BEGUN - 30))  # an earlier run's
    (bar,) = timeline(tmp_path, *entries).bars
    assert (bar.start - BEGUN, bar.end - BEGUN, bar.cpu) == (0, 40, None)


def test_a_journal_of_an_earlier_version_has_bars_and_no_critical_path(tmp_path):
    run = timeline_of(recorded("finished", tmp_path), tmp_path)
    assert len(run.bars) == 10
    assert run.path == []
    assert "not known" in path_in_words(run)
    assert summary(run)[1] == "CPU time: not in this journal."


def test_the_newest_run_that_did_something_for_these_results_is_shown(tmp_path):
    drawing = job("p", 0, rule="draw_run")
    journal(tmp_path, *DIAMOND, name="2026-01-01T000000.000000-1")
    journal(tmp_path, begin(results="other"), job("o", 0), END, name="2026-01-02T000000.000000-1")
    journal(tmp_path, begin(), drawing, name="2026-01-03T000000.000000-1")
    assert len(newest_timeline(tmp_path, "results/").bars) == 4
    assert [bar.job.id for bar in newest_timeline(tmp_path, None).bars] == ["o"]
    with pytest.raises(ValueError, match="expected the journal of a run that writes to nowhere"):
        newest_timeline(tmp_path, "nowhere")


def test_each_rule_has_a_stage():
    assert not [rule for rule in rule_sources() if stage_of(rule) == OTHER and rule not in TARGETS]


TARGETS = {"ablation", "sweeps", "runs"}
