"""Which library files a script depends on: what Snakemake must watch to know when a result is stale."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segguided.meaning import meaning

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # of statements, in a statement


@cache
def dependencies(script: Path) -> tuple[Path, ...]:
    """`script` and every file below its folder that it imports, directly or through another, sorted.

    Imports are read from the source, also those inside functions; nothing is executed. Paths are relative
    when `script` is. Raises ValueError for a relative import, which would go unnoticed.
    """
    files: set[Path] = set()
    _follow(script, script.parent, files)
    return tuple(sorted(files))


def digest(script: Path) -> str:
    """The SHA-256 of what `script` and the library files it depends on mean: file names and code.

    The name of the script itself does not count. What counts of the code, `meaning` says.
    """
    sums = hashlib.sha256()
    for path in dependencies(script):
        name = "" if path == script else path.relative_to(script.parent).as_posix()
        sums.update(f"{name}\0{_read(path).meaning}\n".encode())
    return sums.hexdigest()


@dataclass(frozen=True)
class Code:
    """What planning needs of a Python file, which is parsed once."""

    imports: frozenset[str]  # modules, and names from modules, which may be modules too
    meaning: str


@cache
def _read(file: Path) -> Code:
    """Raises ValueError for a relative import."""
    tree = ast.parse(file.read_bytes(), str(file))
    return Code(imports=_imported(tree, file), meaning=meaning(tree))


def _follow(file: Path, root: Path, files: set[Path]) -> None:
    """Add `file` to `files`, and all files below `root` that it imports."""
    if file in files:
        return
    files.add(file)
    for module in _read(file).imports:
        for path in _files(module, root):
            _follow(path, root, files)


def _statements(block: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The statements of a block and of all blocks within; `ast.walk` would visit each expression too."""
    for statement in block:
        yield statement
        for part in BLOCKS:
            yield from _statements(getattr(statement, part, ()))


def _imported(tree: ast.Module, file: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"{file}, line {node.lineno}: relative import; write the module's full name")
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


@cache
def _files(module: str, root: Path) -> list[Path]:
    """The files below `root` that importing `module` runs: its own and each package's __init__ on the way."""
    parts = module.split(".")
    packages = [root.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    return [path for path in [*packages, root.joinpath(*parts).with_suffix(".py")] if path.is_file()]
