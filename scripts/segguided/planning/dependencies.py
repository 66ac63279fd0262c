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
def dependencies(script: Path, kind: str | None = None) -> tuple[Path, ...]:
    """`script` and every file below its folder that it imports, directly or through another, sorted.

    Imports are read from the source, also those inside functions; nothing is executed. Paths are relative
    when `script` is. With the `kind` of the model that it is called for, an import in a case of
    `match kind` counts only where the case is of this kind. Raises ValueError for a relative import, which
    would go unnoticed.
    """
    files: set[Path] = set()
    _follow(script, script.parent, kind, files)
    return tuple(sorted(files))


def digest(script: Path, kind: str | None = None) -> str:
    """The SHA-256 of what `script` and the library files it depends on mean: file names and code.

    The name of the script itself does not count. What counts of the code, `meaning` says; for a model of a
    `kind`, which files `dependencies` says.
    """
    sums = hashlib.sha256()
    for path in dependencies(script, kind):
        name = "" if path == script else path.relative_to(script.parent).as_posix()
        sums.update(f"{name}\0{_read(path).meaning}\n".encode())
    return sums.hexdigest()


@dataclass(frozen=True)
class Code:
    """What planning needs of a Python file, which is parsed once."""

    imports: frozenset[str]  # modules, and names from modules, which may be modules too
    meaning: str
    by_kind: tuple[tuple[frozenset[str], frozenset[str]], ...]  # of each case of `match kind`: kinds, imports


@cache
def _read(file: Path) -> Code:
    """Raises ValueError for a relative import."""
    tree = ast.parse(file.read_bytes(), str(file))
    statements = list(_statements(tree.body))
    cases = [case for node in statements for case in _cases_of_kinds(node)]
    by_kind = tuple((_kinds(case), _imported(_statements(case.body), file)) for case in cases)
    return Code(_imported(statements, file), meaning(tree), by_kind)


def _follow(file: Path, root: Path, kind: str | None, files: set[Path]) -> None:
    """Add `file` to `files`, and all files below `root` that it imports for a model of this kind."""
    if file in files:
        return
    files.add(file)
    code = _read(file)
    imports = {*code.imports}
    for kinds, of_case in code.by_kind:
        if kind is None or kind in kinds:
            imports |= of_case
    for module in imports:
        for path in _files(module, root):
            _follow(path, root, kind, files)


def _statements(block: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The statements of a block and of all blocks within, but for the cases of kinds.

    `ast.walk` would visit each expression too.
    """
    for statement in block:
        yield statement
        apart = _cases_of_kinds(statement)
        for part in BLOCKS:
            inner = getattr(statement, part, ())
            yield from _statements([node for node in inner if node not in apart])


def _cases_of_kinds(statement: ast.AST) -> list[ast.match_case]:
    """The cases of `match kind` that are of kinds, each a text; other cases are for any kind."""
    match statement:
        case ast.Match(subject=ast.Name(id="kind"), cases=cases):
            return [case for case in cases if _kinds(case)]
    return []


def _kinds(case: ast.match_case) -> frozenset[str]:
    """The kinds of `case "one" | "another"`; none for any other case."""
    patterns = case.pattern.patterns if isinstance(case.pattern, ast.MatchOr) else [case.pattern]
    texts = [_text(pattern) for pattern in patterns]
    return frozenset(filter(None, texts)) if all(texts) else frozenset()


def _text(pattern: ast.pattern) -> str | None:
    """The text that a pattern is; None for any other pattern."""
    match pattern:
        case ast.MatchValue(value=ast.Constant(value=str(text))):
            return text
    return None


def _imported(statements: Iterable[ast.AST], file: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in statements:
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
