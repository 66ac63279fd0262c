"""The documentation's links lead somewhere, and its commands are ones that run."""

import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

from check_config import check_config
from segguided.app.commands import COMMANDS, help_text
from support.miniature import copy_repository, environment

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "workflow").rglob("*.md"), *(ROOT / "config").glob("*.md"))
)
LARGEST_README = 10_000  # bytes
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Commands of the page's reader that no test of ours can run.
ELSEWHERE = ("git", "source", "export", "docker", "apptainer", "rm", "pip", "python -m venv")
# What a page writes for a name of the reader's own, and a name that exists here.
PLACEHOLDERS = {
    "DATASET": "breast-mri",
    "--profile mysite": "--profile slurm",
    "--report results/report.html": "",  # of results that are there: tests/workflow/test_end_to_end.py
}


@cache
def text(page):
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def anchors(page):
    """The ids that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text(page)))


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_to_a_file_and_to_its_heading(page):
    for link in links(page):
        if re.match(r"https?:|mailto:", link):
            continue
        target, _, anchor = link.partition("#")
        path = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        assert path.exists(), f"{page}: {link} leads to no file"
        if anchor:
            assert anchor in anchors(path.relative_to(ROOT).as_posix()), f"{page}: {link} leads to no heading"


# Files that a page tells the reader to write: examples of how to extend the pipeline.
TO_WRITE = re.compile("tiff|blur|figure7|deformed|kubernetes")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_every_path_in_the_repository_that_a_page_names_exists(page):
    spans = re.findall(r"`((?:scripts|tests|workflow|envs)/[\w./-]+)`", FENCE.sub("", text(page)))
    absent = [path for path in spans if not TO_WRITE.search(path) and not (ROOT / path).exists()]
    assert not absent, f"{page} names {', '.join(absent)}"


def test_the_readme_s_table_is_the_demo_page_s():
    rows = [line for line in text("README.md").splitlines() if re.match(r"\| .*\d\.\d{3}", line)]
    assert rows and set(rows) <= set(text("workflow/docs/demo.md").splitlines())


def test_the_index_lists_every_page():
    listed = {link.partition("#")[0] for link in links("workflow/docs/README.md")}
    assert {path.name for path in (ROOT / "workflow/docs").glob("*.md")} - {"README.md"} <= listed


def test_the_readme_stays_short():
    assert len(text("README.md").encode()) <= LARGEST_README


def commands_of(page):
    """The shell commands of a page: lines of its sh blocks, and code spans that begin like one."""
    for language, block in FENCE.findall(text(page)):
        if language in ("", "sh", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                yield from re.split(r" && ", line.partition(" #")[0].strip())
    for span in re.findall(r"`([^`\n]+)`", FENCE.sub("", text(page))):
        yield from re.split(r" && ", span)


@cache
def commands(beginning):
    """The commands of all pages that begin so, each once, with its page."""
    found = {}
    for page in PAGES:
        if page != "CHANGELOG.md":  # it tells of the past
            for command in commands_of(page):
                if command.startswith(f"{beginning} "):
                    found.setdefault(" ".join(command.split()), page)
    return found


@pytest.mark.parametrize("command", sorted(commands("make")))
def test_make_has_every_target_that_the_pages_name(command):
    make = ["make", "--dry-run", "--no-print-directory", *shlex.split(command)[1:]]
    result = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{commands('make')[command]}: {result.stderr}"


def test_make_alone_lists_the_targets_and_installs_nothing():
    command = ["make", "--no-print-directory"]  # which make prints where it was started by `make test`
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[1] for line in result.stdout.splitlines()}
    assert {"demo", "test", "status", "env"} <= listed
    assert all(line.startswith("make ") for line in result.stdout.splitlines())


def test_an_image_installs_nothing_again_whatever_the_date_of_the_pins():
    """`make` installs where the pins are dated later than its mark, and a checkout dates them anew."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert lines.index("RUN touch .venv/.installed") > lines.index("COPY . .")


@pytest.mark.parametrize("command", sorted(commands("python")))
def test_scripts_take_the_options_that_the_pages_give_them(command):
    words = shlex.split(command)
    if words[1].startswith("-"):
        pytest.skip("no script of ours")
    script = ROOT / words[1]
    assert script.is_file(), f"{commands('python')[command]}: {command}"
    shown = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, env=environment(), check=True
    ).stdout
    if script.name != "resume.py":  # its options are Snakemake's
        options = [word.partition("=")[0] for word in words[2:] if word.startswith("--")]
        assert all(option in shown for option in options), f"{command}: {shown}"


@pytest.mark.parametrize("command", sorted(commands("segguided")))
def test_the_command_takes_what_the_pages_give_it(command):
    name, *words = shlex.split(command)[1:]
    assert name in (*COMMANDS, "COMMAND", "--help", "--version"), commands("segguided")[command]
    if name not in COMMANDS:
        assert name == "COMMAND" or name in help_text()
        return
    shown = subprocess.run(
        [sys.executable, "-c", "from segguided.app.commands import main; main()", name, "--help"],
        cwd=ROOT / "scripts", capture_output=True, text=True, env=environment(), check=True,
    ).stdout  # fmt: skip
    assert all(word.partition("=")[0] in shown for word in words if word.startswith("--"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A copy of the pipeline with the reader's own data: `my-ct` as NIfTI, `mine` as PNG."""
    root = copy_repository(tmp_path_factory.mktemp("docs"))
    page = text("workflow/docs/configuration.md")
    (block,) = [b for _, b in FENCE.findall(page) if b.startswith("# mine.yaml")]
    settings = yaml.safe_load(block)
    folder = root / "my-ct"
    folder.mkdir()
    patients = [f"p{number}" for number in range(20)]
    for patient in patients:
        for ending in ("", "_labels"):
            image = nibabel.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4))
            nibabel.save(image, folder / f"{patient}{ending}.nii.gz")
    settings["datasets"]["my-ct"]["source"]["folder"] = "my-ct"
    (root / "my-ct.tsv").write_text("patient\n" + "".join(f"{patient}\n" for patient in patients))
    (root / "mine.yaml").write_text(yaml.safe_dump(settings))
    (root / "my.yaml").write_text("grid: {seeds: [0, 1, 2]}\n")
    return root


def runnable(command):
    """The words of a page's snakemake command, with names that exist."""
    for placeholder, name in PLACEHOLDERS.items():
        command = command.replace(placeholder, name)
    command = command.replace("…", "").replace("...", "")
    return shlex.split(command)[1:]


@pytest.mark.parametrize("command", sorted(commands("snakemake")))
def test_snakemake_plans_what_the_pages_tell_it_to(repository, command):
    page = commands("snakemake")[command]
    words = runnable(command)
    if "--lint" in words or "<" in command:
        pytest.skip("run by make lint")
    if "/mine/" in command:
        pytest.skip("run with its dataset by the tests of the workflow")
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "-n", "--quiet", "all"],
        cwd=repository, capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert result.returncode == 0, f"{page}: {command}\n{(result.stdout + result.stderr)[-1000:]}"


def recipes():
    """The settings in the table of the configuration's page that can be written as they are."""
    table = text("workflow/docs/configuration.md").partition("## Change one thing")[2].partition("## ")[0]
    spans = re.findall(r"^\|[^|]+\| `(\w+: \{.+?\})`", table, re.MULTILINE)
    return [span for span in spans if "…" not in span]


@pytest.mark.parametrize("recipe", recipes())
def test_each_recipe_of_the_configuration_is_accepted(recipe, tmp_path):
    mine = tmp_path / "my.yaml"
    mine.write_text(recipe)
    check_config([ROOT / "config.yaml", mine])


def test_the_recipes_are_found():
    assert len(recipes()) >= 6


def test_the_version_is_the_same_everywhere():
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version


def test_the_hooks_are_those_of_make_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = re.search(r"^lint:.*?\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    run = [line.strip() for line in lint.splitlines()]
    assert len(run) == len(hooks)
    for hook, line in zip(hooks, run, strict=True):
        assert line.startswith(hook["entry"].removesuffix(" --check")), (hook, line)


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_the_repository_s_yaml_is_valid(path):
    assert yaml.safe_load(path.read_text())


def test_the_continuous_integration_runs_the_readme_s_commands():
    steps = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]
    run = {step["run"] for job in steps.values() for step in job["steps"] if "run" in step}
    assert "make demo" in run
    assert all(f"make {command.split()[1]}" in commands("make") for command in run)
    assert shutil.which("make")
