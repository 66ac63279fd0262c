"""What `pip install .` installs: a wheel with all of the library, its command, and versions in step."""

import ast
import email
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "scripts" / "segguided"
OFFLINE = ("--no-index", "--no-deps", "--no-build-isolation")
# A part of pydantic, and what is imported only where it is installed.
NOT_NAMED = {"pydantic_core", "tensorboardX"}
NOT_IMPORTED = {"pylibjpeg", "pylibjpeg-openjpeg"}  # pydicom finds them by itself


@cache
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pip(*words):
    command = [sys.executable, "-m", "pip", *map(str, words), "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what a wheel is made of, because a build leaves files beside it."""
    root = tmp_path_factory.mktemp("package") / "checkout"
    root.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=ignored)
    return root


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", *OFFLINE, "--wheel-dir", folder, checkout)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """The folder site-packages of an installation of the wheel alone; what it needs is this environment's."""
    prefix = tmp_path_factory.mktemp("prefix")
    pip("install", "--ignore-installed", *OFFLINE, "--prefix", prefix, wheel)
    (folder,) = prefix.rglob("site-packages")
    return folder


def installed(site, *words):
    """Run the installed command, in a folder without the repository."""
    (command,) = site.parents[2].rglob("bin/segguided")
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [command, *words], cwd=site.parents[2], capture_output=True, text=True, env=environment, check=False
    )


def test_the_wheel_holds_every_file_of_the_library_and_no_other(wheel):
    listed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(ROOT / "scripts").as_posix()
        for path in LIBRARY.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert "segguided/status/page.html.j2" in expected and "segguided/api.py" in expected
    assert {name for name in listed if ".dist-info/" not in name} == expected


def test_the_wheel_says_what_it_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
    facts = email.message_from_bytes(archive.read(name))
    assert facts["Version"] == project()["version"]
    assert facts["License-Expression"] == "Apache-2.0"
    stated = {str(Requirement(text)) for text in facts.get_all("Requires-Dist")}
    assert stated == {str(Requirement(text)) for text in project()["dependencies"]}


def test_the_installed_command_has_help_and_a_version(site):
    shown = installed(site, "--help")
    assert shown.returncode == 0 and "generate " in shown.stdout, shown.stderr
    assert installed(site, "--version").stdout == f"segguided {project()['version']}\n"
    help_of_generate = installed(site, "generate", "--help")
    assert help_of_generate.returncode == 0 and "--noise-seeds" in help_of_generate.stdout


def test_an_error_of_the_installed_command_is_one_sentence(site, tmp_path):
    """An installed library lies in site-packages, where an error is otherwise taken for a defect."""
    done = installed(site, "generate", tmp_path / "no-run", tmp_path / "masks", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {tmp_path}/no-run: expected the folder of a trained model, but there is none; "
        "correct the name\n"
    )


def test_the_installed_library_is_imported_and_finds_its_files(site, tmp_path):
    program = (
        "import segguided.api, segguided.status.page as page\n"
        "page._ENVIRONMENT.get_template('page.html.j2')\n"
        "print(segguided.api.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == f"{site / 'segguided/api.py'}\n", done.stderr


def test_an_editable_installation_needs_no_network_and_leads_to_the_checkout(checkout, tmp_path):
    """With the words of `make env`, which are the Dockerfile's, too."""
    words = re.search(r"^THIS := (.+) \.$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert f"RUN pip install {words} ." in (ROOT / "Dockerfile").read_text().splitlines()
    pip("install", "--ignore-installed", "--prefix", tmp_path, *words.split(), checkout)
    (site,) = tmp_path.rglob("site-packages")
    program = f"import site; site.addsitedir({str(site)!r}); import segguided; print(segguided.__file__)"
    command = [sys.executable, "-S", "-c", program]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == f"{checkout / 'scripts/segguided/__init__.py'}\n", done.stderr


def pins():
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    parts = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in parts}


def needs():
    return {canonicalize_name(need.name): need for need in map(Requirement, project()["dependencies"])}


@pytest.mark.parametrize("name", sorted(needs()))
def test_the_pinned_version_is_one_that_the_package_allows(name):
    (bound,) = needs()[name].specifier
    assert bound.operator == ">="
    assert bound.contains(pins()[name]), f"{name} is pinned at {pins()[name]}"


def test_the_build_s_setuptools_is_pinned():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    (need,) = map(Requirement, build["requires"])
    assert need.name == "setuptools" and need.specifier.contains(pins()["setuptools"])


def test_the_package_needs_what_the_library_imports_and_no_more():
    imported = set()
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"segguided"} - NOT_NAMED
    distributions = {canonicalize_name(packages_distributions()[name][0]) for name in foreign}
    assert distributions | NOT_IMPORTED == set(needs())


def test_the_version_has_a_place_in_the_changelog():
    """The newest release in it, or, before the first, none."""
    releases = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    numbers = [release for release in releases if release != "Unreleased"]
    assert numbers[:1] in ([], [project()["version"]])
