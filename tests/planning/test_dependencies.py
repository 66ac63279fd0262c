"""The files Snakemake watches for a script are those that running it imports."""

import json
import os
import subprocess
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import get_args

import pytest

from segguided.config.workflow import Model
from segguided.planning.dependencies import dependencies, digest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in ROOT.glob("scripts/*.py"))
PROBE = """if True:
    import atexit, json, runpy, sys
    def report():
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        json.dump(sorted(f for f in files if f), open(sys.argv[-1], "w"))
    atexit.register(report)
    script, report_file = sys.argv[1:]
    sys.argv = [script, "--help", report_file]
    sys.path[0] = script.rsplit("/", 1)[0]
    runpy.run_path(script, run_name="__main__")
"""


def watched(script: str) -> set[str]:
    return {
        path.relative_to(ROOT / "scripts").as_posix()
        for path in dependencies(ROOT / "scripts" / f"{script}.py")
    }


def imports_torch(script: str) -> bool:
    return any("import torch" in path.read_text() for path in dependencies(ROOT / "scripts" / f"{script}.py"))


@pytest.mark.parametrize("script", [name for name in SCRIPTS if not imports_torch(name)])
def test_what_a_run_imports_is_watched(script: str, tmp_path: Path) -> None:
    path = ROOT / "scripts" / f"{script}.py"
    report = tmp_path / "files.json"
    command = [sys.executable, "-c", PROBE, str(path), str(report)]
    environment = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    imported = {Path(file) for file in json.loads(report.read_text())}
    ours = {
        f.relative_to(ROOT / "scripts").as_posix() for f in imported if f.is_relative_to(ROOT / "scripts")
    }
    assert len(ours) > 3
    assert ours <= watched(script)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_standard_librarys_finder_agrees(script: str) -> None:
    """ModuleFinder reads byte code instead of source; it counts `from a import b` as the module a.b too."""
    finder = ModuleFinder([str(ROOT / "scripts")], excludes=["torch", "numpy"])
    finder.run_script(str(ROOT / "scripts" / f"{script}.py"))
    files = {Path(module.__file__) for module in finder.modules.values() if module.__file__}
    assert {file.relative_to(ROOT / "scripts").as_posix() for file in files} == watched(script)


def test_results_are_not_retrained_for_a_figure() -> None:
    training = watched("train_diffusion")
    assert "segguided/training/loop.py" in training
    assert "segguided/config/models/training.py" in training
    late = ("generation", "evaluation", "tables", "figures", "describe", "config/workflow", "config/sampling")
    assert not [path for path in training for name in late if path.startswith(f"segguided/{name}")]
    assert not training & {"segguided/config/checks/messages.py", "segguided/config/evaluation.py"}
    assert "segguided/training/loop.py" not in watched("prepare_patient")


def test_relative_stays_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    relative = dependencies(Path("scripts/split_dataset.py"))
    assert Path("scripts/segguided/__init__.py") in relative
    assert all(not path.is_absolute() for path in relative)
    assert list(relative) == sorted(relative)
    assert {path.resolve() for path in relative} == set(dependencies(ROOT / "scripts/split_dataset.py"))


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(script: Path) -> list[str]:
    return [path.relative_to(script.parent).as_posix() for path in dependencies(script)]


def test_imports_in_functions_cycles_siblings_and_modules_named_by_from(tmp_path: Path) -> None:
    write(
        tmp_path,
        run="def f():\n    from pack import a\nimport sibling, json",
        pack__a="import pack.deep.b as b\nimport run",
        pack__deep__b="from pack.deep.c import value",
        pack__deep__c="value = 1",
        pack__unused="",
        sibling="",
    )
    (tmp_path / "pack/deep/__init__.py").touch()
    expected = [
        "pack/a.py",
        "pack/deep/__init__.py",
        "pack/deep/b.py",
        "pack/deep/c.py",
        "run.py",
        "sibling.py",
    ]
    assert names(tmp_path / "run.py") == expected


def test_imports_for_other_kinds_of_models_do_not_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        run="""def load(kind):
    match kind:
        case "a" | "b":
            if kind:
                from pack import of_a_and_b
        case "c":
            import pack.of_c
        case kind if kind:
            import pack.of_any
    match other:
        case "c":
            import pack.of_all
""",
        pack__of_a_and_b="",
        pack__of_c="import pack.of_a_and_b",
        pack__of_any="",
        pack__of_all="",
    )
    found = {kind: dependencies(tmp_path / "run.py", kind) for kind in (None, "a", "b", "c", "d")}
    stems = {
        kind: {path.stem for path in paths} - {"run", "of_any", "of_all"} for kind, paths in found.items()
    }
    both = {"of_a_and_b", "of_c"}
    assert stems == {None: both, "a": {"of_a_and_b"}, "b": {"of_a_and_b"}, "c": both, "d": set()}
    assert all({"of_any", "of_all"} <= {path.stem for path in paths} for paths in found.values())
    before = {kind: digest(tmp_path / "run.py", kind) for kind in found}
    dependencies.cache_clear()
    (tmp_path / "pack/of_c.py").write_text("x = 1")
    assert before["a"] == digest(tmp_path / "run.py", "a")


KINDS = {  # of models with weights of their own, and the module that each samples with
    "diffusion": "diffusion",
    "imported": "diffusion",
    "spade": "spade",
    "controlnet": "controlnet",
    "regression": "regression",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", ["generate_partial", "generate_paired"])
def test_a_script_for_any_model_is_watched_by_the_kind_of_its_model(script: str, kind: str) -> None:
    watched_for_kind = dependencies(ROOT / f"scripts/{script}.py", kind)
    rooms = {path.stem for path in watched_for_kind if path.parent.name == "generation"}
    assert rooms & {*KINDS.values()} == {KINDS[kind]}
    assert {*watched_for_kind} < {*dependencies(ROOT / f"scripts/{script}.py")}


def test_each_kind_of_model_is_in_this_table() -> None:
    """A kind without a case of its own would be watched by nothing that samples."""
    classes = get_args(get_args(Model)[0])
    kinds = {get_args(of_kind.model_fields["kind"].annotation)[0] for of_kind in classes}
    assert kinds == {*KINDS, "shared_weights"}


@pytest.mark.parametrize("line", ["from . import a", "from .a import b"])
def test_a_relative_import_is_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, run="import pack.b", pack__b=f"\n{line}", pack__a="")
    with pytest.raises(ValueError, match=r"b\.py, line 2: relative import; write the module's full name"):
        dependencies(tmp_path / "run.py")


def digest_of(folder: Path, module: str, text: str, script: str = "") -> str:
    """The digest of a script that imports one module of a library."""
    (folder / "library").mkdir(parents=True)
    (folder / "library" / f"{module}.py").write_text(text)
    (folder / "script.py").write_text(f"import library.{module}\n{script}")
    return digest(folder / "script.py")


def test_the_digest_changes_with_names_and_code_of_the_library_and_code_of_the_script(tmp_path: Path) -> None:
    versions = [
        ("a", "x = 1"),
        ("a", "x = 2"),
        ("b", "x = 1"),
        ("a", "x = 1", "y = 1"),
        ("a", "x = 1", "y = 2"),
    ]
    digests = {digest_of(tmp_path / str(n), *version) for n, version in enumerate(versions)}
    assert len(digests) == len(versions)


def test_the_digest_is_that_of_another_name_of_the_script_and_of_other_words(tmp_path: Path) -> None:
    first = digest_of(tmp_path / "one", "a", "x = 1")
    assert digest_of(tmp_path / "two", "a", '"""Doc."""\nx = 1  # one\n', "# another script\n") == first
    twin = tmp_path / "one" / "twin.py"
    twin.write_text("import library.a\n")
    assert digest(twin) == first
