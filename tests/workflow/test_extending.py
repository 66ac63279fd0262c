"""The recipes of workflow/docs/extending.md: a toy kind of model made by exactly its list of files runs."""

import csv
import re
import shutil
from pathlib import Path

import pytest
import yaml

from support.miniature import ARGUMENTS, MINIATURE, ROOT, copy_repository, jobs_of, snakemake

PAGE = (ROOT / "workflow/docs/extending.md").read_text()
TOY = ROOT / "tests/support/blur"  # the new files, by their places in the repository
SETTINGS = {
    "grid": {"models": ["blur"]},
    "models": {"blur": {"kind": "blur", "training": {"steps": 12, "batch_size": 4, "learning_rate": 0.01}}},
}


def section(title: str) -> str:
    """The text of a recipe."""
    return re.split(r"^## ", PAGE.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def listed_files(title: str) -> set[str]:
    """The files in the table of a recipe."""
    return set(re.findall(r"^\| `([^`]+)` +\|", section(title), re.MULTILINE))


def code_for(title: str, language: str) -> list[str]:
    """The pieces of code of a recipe."""
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a copy of the repository."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def add_kind(repository: Path) -> None:
    """Do what the recipe says; the rules are the page's own."""
    shutil.copytree(TOY, repository, dirs_exist_ok=True)
    kinds = repository / "scripts/segguided/config/workflow.py"
    text = kinds.read_text().replace(" | SpadeModel", " | SpadeModel | BlurModel", 1)
    first_import = "from segguided.config.models.controlnet import"
    named = "from segguided.config.models.blur import BlurModel\n"
    kinds.write_text(text.replace(first_import, f"{named}{first_import}", 1))
    for file, rule in zip(("train", "generate"), code_for("A kind of model", "snakemake"), strict=True):
        with (repository / f"workflow/rules/{file}.smk").open("a") as opened:
            opened.write(f"\n\n{rule}")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with one more kind of model; only the files of the recipe differ."""
    repository = copy_repository(tmp_path_factory.mktemp("extended"))
    before = contents(repository)
    add_kind(repository)
    changed = {name for name, content in contents(repository).items() if before.get(name) != content}
    assert changed == listed_files("A kind of model")
    settings = yaml.safe_load((repository / MINIATURE).read_text())
    settings["grid"] |= SETTINGS["grid"]
    settings["models"] |= SETTINGS["models"]
    (repository / "mine.yaml").write_text(yaml.safe_dump(settings))
    return repository


def test_a_new_kind_of_model_is_lint_clean_and_in_every_target(extended: Path) -> None:
    lint = snakemake(extended, "--lint")
    assert lint.returncode == 0, lint.stdout + lint.stderr
    jobs = jobs_of(snakemake(extended, "-n", "all", "--configfile", "mine.yaml"))
    assert (jobs["train_blur"], jobs["generate_blur"], jobs["train_segmenter"]) == (1, 1, 2)
    assert {"draw_figure2", "draw_showcase", "make_table"} <= set(jobs)
    shards = ("--set-scatter", "generation=2")
    sharded = jobs_of(snakemake(extended, "-n", "all", "--configfile", "mine.yaml", *shards))
    assert (sharded["generate_blur"], sharded["gather_images"]) == (2, 1)


def test_a_new_kind_of_model_is_trained_generated_from_and_measured(extended: Path) -> None:
    result = snakemake(extended, "results/table1.csv", "--configfile", "mine.yaml", *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    with (extended / "results/table1.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"blur", "real (ceiling)"}
    assert float(rows["blur"]["training_images"]) == 12 * 4
    assert 0 < float(rows["blur"]["dice_mask"]) < 1
    assert (extended / "logs/train_blur/breast-phantom/blur/seed0.log").is_file(), "a log of its own"


@pytest.mark.parametrize(
    "title", ["A source of patients", "A kind of model", "A column of a table", "A figure", "An application"]
)
def test_a_recipe_names_files_that_exist_or_are_of_its_example(title: str) -> None:
    files = listed_files(title)
    assert files
    places = {name.rpartition("/")[0] for name in files}
    assert not [folder for folder in places if not (ROOT / folder).is_dir()]
    assert code_for(title, r"\w+"), "a few lines of code"
