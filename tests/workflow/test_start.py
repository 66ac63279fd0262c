"""What a run looks at before it begins, and what outlives a training until its outputs are accepted."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from segguided.status.follow import Watcher
from support.miniature import (
    ARGUMENTS,
    MINIATURE,
    ROOT,
    copy_repository,
    environment,
    in_foreground,
    jobs_of,
    snakemake,
)

FILES = ("model.safetensors", "config.json", "history.csv")
LONG = "models={segguided: {training: {steps: 150}}}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Two copies of the repository and the one results folder of both, with the slices a training needs."""
    base = tmp_path_factory.mktemp("shared")
    first = copy_repository(base)
    second = shutil.copytree(first, base / "other", symlinks=True)
    results = base / "results"
    run = Run(first, results)
    done = run.snakemake(results / "data/breast-phantom/train.txt", run.slices)
    assert done.returncode == 0, done.stdout + done.stderr
    return run, Run(second, results)


class Run:
    """Snakemake in one folder, whose results go to another."""

    def __init__(self, folder, results):
        self.folder, self.results = folder, results
        self.slices = results / "slices/breast-phantom/tiny_4.npz"  # of the patient that trains
        self.weights = results / "runs/breast-phantom/segguided/seed0/model.safetensors"
        self.log = folder / "logs/train_diffusion/breast-phantom/segguided/seed0.log"
        places = f"pathvars={{results: {results}}}"
        changes = ("checkpoint_seconds=0", LONG, places)
        self.settings = ("--configfile", MINIATURE, *ARGUMENTS, "--config", *changes)

    def snakemake(self, *targets):
        return snakemake(self.folder, *targets, *self.settings)

    def begin(self, *targets):
        command = [sys.executable, "-m", "snakemake", *map(str, targets), *self.settings]
        return in_foreground(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment(), start_new_session=True,
        )  # fmt: skip

    def bytes(self):
        return [self.weights.with_name(name).read_bytes() for name in FILES]

    def left(self):
        return sorted(path.name for path in self.weights.parent.iterdir())


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def one_sentence(result, sentence):
    said = result.stdout + result.stderr
    assert result.returncode == 1, said
    assert "Traceback" not in said
    assert sentence in said, said
    return said


def test_a_training_whose_outputs_are_refused_loses_nothing(shared):
    """An input gets a date of the future while it trains; another folder wants the same results."""
    run, other = shared
    quiet = run.snakemake(run.weights, "--quiet", "progress", "rules")
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    assert run.left() == sorted([*FILES, "attempts.json"]), "accepted, although --quiet hid it"
    view = Watcher(run.folder).look()
    assert (view.state.kind, view.done, view.total) == ("finished", 1, 1)
    undisturbed = run.bytes()

    shutil.rmtree(run.weights.parent)
    process = run.begin(run.weights)
    until(run.weights.with_name("resume.pt").exists)
    jobs = psutil.Process(process.pid).children(True)
    for job in jobs:
        job.suspend()  # until the others have been refused, however slow this machine is
    refused = other.snakemake(other.weights)
    one_sentence(refused, f"is being written by the Snakemake in {run.folder} (process ")
    assert other.snakemake("-n", other.weights).returncode == 0, "whoever only looks is welcome"
    assert not other.log.exists()
    future = time.time() + 3600
    os.utime(run.slices, (future, future))
    for job in jobs:
        job.resume()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "older modification time" in said
    assert run.left() == ["attempts.json", "resume.pt"]

    before = run.weights.with_name("resume.pt").stat().st_mtime_ns
    one_sentence(run.snakemake(run.weights), f"{run.slices} is dated in the future (")
    assert run.weights.with_name("resume.pt").stat().st_mtime_ns == before, "refused before anything ran"

    run.slices.touch()
    done = run.snakemake(run.weights)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resuming after step 150 from" in run.log.read_text()
    assert run.bytes() == undisturbed
    assert run.left() == sorted([*FILES, "attempts.json"])
    assert not (run.results / ".writers").exists()


def test_what_a_killed_snakemake_left_of_accepted_trainings_goes_at_the_next_start(shared):
    """It was killed between accepting and deleting; a run that makes something else clears it away."""
    run, _ = shared
    if not run.weights.exists():
        assert run.snakemake(run.weights).returncode == 0
    for name in ("resume.pt", "resume-aside.pt"):
        run.weights.with_name(name).touch()
    generated = run.results / "generated/breast-phantom/segguided/seed0/test.npz"
    process = run.begin(generated)
    until(lambda: not run.weights.with_name("resume.pt").exists())
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert run.left() == sorted([*FILES, "attempts.json"])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("place"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("-s", "{fresh}/Snakefile"),
        ("-s", "{fresh}/workflow/Snakefile"),
        ("-s", "{fresh}/Snakefile", "--directory", "{elsewhere}"),
        ("-s", "{fresh}/Snakefile", "--directory", "{elsewhere}/below"),
    ],
)
def test_from_another_folder_one_sentence_says_how(fresh, tmp_path, arguments):
    places = {"fresh": fresh, "elsewhere": tmp_path}
    command = [argument.format(**places) for argument in arguments]
    said = one_sentence(
        snakemake(tmp_path, "-n", "results/table1.csv", *command),
        f"this pipeline runs in its own folder, where its scripts and tables are, and not in {tmp_path}",
    )
    assert f"give the command in {fresh}, or add --directory {fresh}; results may be elsewhere" in said
    assert "--config 'pathvars={results: FOLDER}'" in said  # one word of a shell


def test_the_directory_it_names_makes_the_same_command_work(fresh, tmp_path):
    target = f"{tmp_path}/mine/data/breast-phantom/train.txt"
    place = ("-s", fresh / "Snakefile", "--directory", fresh, "--configfile", fresh / MINIATURE)
    results = f"pathvars={{results: {tmp_path}/mine, logs: {tmp_path}/logs, benchmarks: {tmp_path}/times}}"
    result = snakemake(tmp_path, target, "--cores", 1, *place, "--config", results)
    assert result.returncode == 0, result.stdout + result.stderr
    assert Path(target).read_text() == f"{tmp_path}/mine/slices/breast-phantom/tiny_4.npz\n"


def test_a_patient_that_is_not_in_the_table_is_named(fresh):
    target = "results/slices/breast-phantom/tiny_99.npz"
    result = snakemake(fresh, "-n", target, "--configfile", fresh / MINIATURE)
    assert result.returncode != 0
    assert "miniature.tsv: no patient tiny_99; correct the name" in result.stdout + result.stderr
    assert "KeyError" not in result.stdout + result.stderr


def test_a_link_to_the_folder_is_the_folder(fresh, tmp_path):
    (tmp_path / "link").symlink_to(fresh)
    assert snakemake(tmp_path / "link", "-n", "results/table1.csv").returncode == 0


def test_a_dry_run_and_status_name_what_is_left_out_and_a_direct_request_is_refused(fresh, tmp_path):
    settings = yaml.safe_load((ROOT / "tests/support/miniature.yaml").read_text())
    settings["grid"]["models"] = ["unconditional", "segguided"]
    settings["similarity"] = None
    settings["datasets"]["breast-phantom"]["partial_masks"] = []
    path = tmp_path / "less.yaml"
    path.write_text(yaml.safe_dump(settings))
    result = snakemake(fresh, "-n", "all", "--configfile", path)
    for sentence in (
        "figures 3 and 6 left out: no dataset of the grid has partial_masks",
        "figure 4 left out: similarity is not set",
    ):
        assert (result.stdout + result.stderr).count(sentence) == 1
    assert not {name for name in jobs_of(result) if name in ("draw_figure3", "draw_figure4", "draw_figure6")}
    assert "left out" not in snakemake(fresh, "-n", "results/table1.csv", "--configfile", path).stdout
    figure = snakemake(fresh, "-n", "results/figure4.png", "--configfile", path)
    assert figure.returncode == 1
    assert "figure 4 left out: similarity is not set" in figure.stdout + figure.stderr
    nothing = snakemake(fresh, "applications", "--configfile", path, *ARGUMENTS, "--until", "list_split")
    assert "paired images left out: grid.models lacks segguided-mat" in nothing.stdout + nothing.stderr
    notes = Watcher(fresh).look().notes
    assert [note for note in notes if note.startswith("paired images left out")]


@pytest.mark.parametrize("name", ["$(touch PWNED)", "it's `touch PWNED`"])
def test_a_cluster_is_given_no_name_that_its_shell_would_act_on(fresh, tmp_path, monkeypatch, name):
    """Snakemake's own command for a job holds the inputs' names; SLURM's tools here only tell they ran."""
    for tool in ("sbatch", "squeue", "sinfo", "sacct", "scancel"):
        (tmp_path / tool).write_text(f"#!/bin/sh\ntouch {tmp_path}/{tool}-ran\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    settings = yaml.safe_load((ROOT / "tests/support/miniature.yaml").read_text())
    settings |= {"pathvars": {"results": name}}
    (tmp_path / "named.yaml").write_text(yaml.safe_dump(settings))
    target = f"{name}/slices/breast-phantom/tiny_4.npz"
    result = snakemake(fresh, target, "--profile", "slurm", "--configfile", tmp_path / "named.yaml")
    one_sentence(result, "on a cluster Snakemake hands the names of inputs to a shell, which acts on ")
    assert not (tmp_path / "sbatch-ran").exists()
    assert not list(fresh.rglob("PWNED*"))
