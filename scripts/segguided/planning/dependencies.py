"""Which library files a script depends on: what Snakemake must watch to know when a result is stale."""

import ast
import hashlib
from functools import cache
from pathlib import Path


@cache
def dependencies(script: Path) -> tuple[Path, ...]:
    """`script` and every file below its folder that it imports, directly or through another, sorted.

    Imports are read from the source, also those inside functions; nothing is executed. Paths are relative
    when `script` is. Raises ValueError for a relative import, which would go unnoticed.
    """
    found: set[Path] = set()
    _follow(script, script.parent, found)
    return tuple(sorted(found))


def digest(script: Path) -> str:
    """The SHA-256 of the library files that `script` depends on, names and contents; not of its own."""
    sums = hashlib.sha256()
    for path in dependencies(script):
        if path != script:
            sums.update(f"{path.relative_to(script.parent).as_posix()}\0{_sha256(path)}\n".encode())
    return sums.hexdigest()


@cache
def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _follow(file: Path, root: Path, found: set[Path]) -> None:
    if file in found:
        return
    found.add(file)
    for module in _imported(file):
        for path in _files(module, root):
            _follow(path, root, found)


@cache
def _imported(file: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"{file}, line {node.lineno}: relative import; write the module's full name")
            names.add(node.module)
            names.update(
                f"{node.module}.{alias.name}" for alias in node.names
            )  # an imported name may be a module
    return frozenset(names)


@cache
def _files(module: str, root: Path) -> list[Path]:
    """The files below `root` that importing `module` runs: its own and each package's __init__ on the way."""
    parts = module.split(".")
    packages = [root.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    return [path for path in [*packages, root.joinpath(*parts).with_suffix(".py")] if path.is_file()]
