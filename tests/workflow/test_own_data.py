"""What start.py writes is a configuration that the pipeline plans as it is, and slices."""

import csv
import os
import subprocess
import sys

import pytest
import yaml

from support.miniature import copy_repository, environment, jobs_of, snakemake
from support.own_folders import NiftiFolder, dicom_folder, nifti_folder, png_folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("own"))


def in_folders(patient, number):
    return f"images/{patient}_slice_{number}.png", f"masks/{patient}_slice_{number}.png"


def in_splits(patient, number):
    split = {"ann": "train", "bob": "train", "cem": "val"}.get(patient, "test")
    name = f"{split}/{patient}_slice_{number}.png"
    return f"DATA/{name}", f"MASKS/all/{name}"


def by_patient(patient, number):
    return f"{patient}/{number:03}.png", f"{patient}/{number:03}_mask.png"


FOLDERS = {
    "nifti": nifti_folder,
    "nifti-of-three": lambda root: nifti_folder(root, 3, labels=(1, 2, 5)),
    "png": lambda root: png_folder(root, in_folders),
    "png-in-splits": lambda root: png_folder(root, in_splits, ["ann", "bob", "cem", "dora", "eve"]),
    "png-by-patient": lambda root: png_folder(root, by_patient),
    "dicom": dicom_folder,
}


def begin(repository, name):
    """The folder of the written files."""
    data = repository.parent / name
    FOLDERS[name](data)
    output = repository.parent / f"{name}-out"
    command = [sys.executable, "scripts/start.py", data, "--output", output]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"snakemake all runs --configfile {output}/mine.yaml" in done.stdout
    assert "scripts/generate.py results/mine/runs/mine/segguided-plus/seed0" in done.stdout
    return output


@pytest.mark.parametrize("name", FOLDERS)
def test_the_pipeline_plans_the_small_run_and_slices_the_patients(repository, name):
    output = begin(repository, name)
    planned = snakemake(repository, "-n", "all", "--configfile", output / "mine.yaml")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    jobs = jobs_of(planned)
    assert jobs["train_spade"] == jobs["train_diffusion"] == jobs["draw_figure1"] == jobs["draw_figure4"] == 1
    results = repository / "results" / name
    places = f"pathvars={{results: {results}}}"
    target = results / "data/mine/splits.csv"
    sliced = snakemake(repository, target, "--configfile", output / "mine.yaml", "--config", places)
    assert sliced.returncode == 0, sliced.stdout + sliced.stderr
    with target.open() as file:
        rows = list(csv.DictReader(file))
    classes = yaml.safe_load((output / "mine.yaml").read_text())["datasets"]["mine"]["classes"]
    for split in ("train", "held-out", "test"):
        of_split = [row for row in rows if row["split"] == split]
        assert of_split and all(sum(int(row[f"pixels_{c['name']}"]) for row in of_split) for c in classes)


@pytest.mark.parametrize("name", ["nifti", "dicom"])
def test_the_pipeline_plans_the_run_at_the_papers_scale(repository, name):
    output = repository.parent / f"{name}-out"
    if not output.exists():
        begin(repository, name)
    planned = snakemake(repository, "-n", "all", "--configfile", output / "mine-paper.yaml")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    jobs = jobs_of(planned)
    assert jobs["train_diffusion"] == 2 and jobs["train_spade"] == 1


def test_links_lead_to_the_users_png_files(repository):
    output = repository.parent / "png-out"
    if not output.exists():
        begin(repository, "png")
    links = sorted((output / "mine-slices").rglob("*.png"))
    assert len(links) == 2 * 4 * 4 and all(link.is_symlink() and link.exists() for link in links)
    assert {os.path.commonpath([link.readlink(), repository.parent / "png"]) for link in links} == {
        str(repository.parent / "png")
    }


def test_folders_that_name_the_splits_keep_them(repository):
    output = repository.parent / "png-in-splits-out"
    if not output.exists():
        begin(repository, "png-in-splits")
    assert not (output / "mine-slices").exists()
    rows = (output / "mine.tsv").read_text().splitlines()[2:]
    assert rows == ["ann\ttrain", "bob\ttrain", "cem\theld-out", "dora\ttest", "eve\ttest"]


def test_a_folder_in_the_repository_whose_names_need_quotes(repository):
    folder = NiftiFolder(repository / "data" / 'my "own" data: #1')
    folder.root.mkdir(parents=True)
    for number in range(4):
        folder.add(f"p {number}'s")
    command = [sys.executable, "scripts/start.py", folder.root]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    dataset = yaml.safe_load((repository / "mine.yaml").read_text())["datasets"]["mine"]
    assert dataset["manifest"] == "mine.tsv", "so that the repository may be moved"
    assert dataset["source"]["folder"] == 'data/my "own" data: #1'
    planned = snakemake(repository, "-n", "all", "--configfile", "mine.yaml")
    assert planned.returncode == 0, planned.stdout + planned.stderr
