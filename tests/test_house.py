"""The layout of the library: imports go one way, in no circle, and no room grows too large."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
# From the ground up: a room imports from the rooms above it in this list, and never from one below it.
ROOMS = (
    "main_program missing_packages files shown channels_last compiling computing lean_imports cli seals "
    "text_tables listing meaning",
    "config",
    "devices",
    "data.formats",
    "data",
    "data.download",
    "data.datasets",
    "training",
    "models",
    "models.controlnet",
    "generation",
    "evaluation",
    "figures",
    "tables",
    "describe",
    "exports",
    "status",
    "planning",
    "app",
    "api",
)
LARGEST_MODULE = 300  # lines
LARGEST_ROOM = 20  # modules


@cache
def modules():
    """The library's modules by dotted name, without the leading `segguided`."""
    root = SCRIPTS / "segguided"
    files = [path for path in root.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(root).with_suffix("").parts): path for path in files}


@cache
def imported(path):
    """The library's modules that a file imports, also inside functions."""
    imports = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        imports |= {name.removeprefix("segguided.") for name in names}
    return imports & modules().keys()


def floor(module):
    """The place of a module's room in the list: that of the longest room name it begins with."""
    rooms = [(len(name), place) for place, names in enumerate(ROOMS) for name in names.split()
             if module == name or module.startswith(f"{name}.")]  # fmt: skip
    assert rooms, f"{module} is in no room; put it into one, or add its room to ROOMS"
    return max(rooms)[1]


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_imports_none_from_a_room_above_its_own(module):
    upward = {name for name in imported(modules()[module]) if floor(name) > floor(module)}
    assert not upward, f"{module} imports {', '.join(sorted(upward))}, whose rooms are above its own"


def test_no_imports_go_in_a_circle():
    TopologicalSorter({name: imported(path) for name, path in modules().items()}).prepare()


def test_the_lowest_modules_know_no_setting_and_no_dataset():
    lowest = [name for name in modules() if not floor(name)]
    assert lowest
    for name in lowest:
        assert all(not floor(other) for other in imported(modules()[name])), name


def test_no_module_and_no_room_is_too_large():
    sizes = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules().items()}
    assert not {name: size for name, size in sizes.items() if size > LARGEST_MODULE}
    rooms = [name.rpartition(".")[0] for name in modules()]
    assert not {room for room in rooms if rooms.count(room) > LARGEST_ROOM}


def test_every_package_says_in_one_line_what_lives_there():
    for path in (SCRIPTS / "segguided").rglob("__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert len(tree.body) == 1, f"{path} holds more than its docstring"
        docstring = ast.get_docstring(tree)
        assert docstring and "\n" not in docstring, path


def test_a_public_class_is_the_only_one_of_its_name():
    """Else a reader of `Row` or `Progress` must look up which one it is."""
    places = {}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    assert not {name: where for name, where in places.items() if len(where) > 1}
