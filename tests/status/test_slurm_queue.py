"""The lines of squeue: whose they are, and what SLURM's words mean."""

from pathlib import Path

import pytest

from segguided.status.slurm_queue import parsed
from support.status_scenes import RECORDED

RUN = "segguided_ae0402d2-8ae2-485f-b02e-acc259513ca4"


def test_the_queue_holds_the_jobs_of_this_folder():
    """As a real cluster answered, with the job of another folder in it."""
    (job,) = parsed((RECORDED / "squeue.txt").read_text(), Path("/pipeline"))
    assert (job.number, job.state, job.left, job.nodes) == ("17", "RUNNING", "23:58:54", "vm")
    assert (job.name, job.what) == (RUN, "train_spade_wildcards_breast-phantom_spade_0")


def test_a_job_that_snakemake_did_not_name_is_somebody_elses():
    assert not parsed("1|RUNNING|1:00|None|n1|/a|my own job|rule_x\n", Path("/a"))


def test_a_run_without_a_prefix_and_a_comment_with_a_bar():
    (job,) = parsed(f"1|PENDING|1:00|Priority||/a|{RUN.partition('_')[2]}|rule_x_a|b\n", Path("/a"))
    assert job.what == "x_a|b"


def test_a_folder_behind_a_link_is_the_same(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert parsed(f"1|RUNNING|1:00|None|n1|{tmp_path}/link|{RUN}|rule_x\n", tmp_path / "real")


@pytest.mark.parametrize(
    ("state", "waiting", "ending"),
    [
        ("PENDING", True, False),
        ("CONFIGURING", True, False),
        ("REQUEUED", True, False),
        ("RUNNING", False, False),
        ("SUSPENDED", False, False),
        ("COMPLETING", False, True),
    ],
)
def test_states(state, waiting, ending):
    (job,) = parsed(f"1|{state}|1:00|None|n1|/a|{RUN}|rule_x\n", Path("/a"))
    assert (job.waiting, job.ending) == (waiting, ending)
