"""Configuration files as their writer meant them: YAML's silent traps are refused with file and line."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from segguided.text_tables import read_lines

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of libyaml where it is there: ten times as fast
BOOLEAN, INTEGER, FLOAT, TEXT = (f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "str"))
KNOWN = {*yaml.SafeLoader.yaml_constructors, "tag:yaml.org,2002:merge"}  # tags that stand for values
ZERO_FIRST = re.compile(r"[-+]?0[0-9_]+")  # 010 is 8 in YAML 1.1, and 08 is text
BASE_SIXTY = re.compile(r"[-+]?[0-9_]+(:[0-5]?[0-9])+(\.[0-9_]*)?")  # 1:30 is 90


def check_files(paths: Iterable[Path]) -> None:
    """Raise ValueError, with file and line, for a file that is no YAML, or where YAML reads what few mean."""
    for path in paths:
        if path.is_file():  # what Snakemake read from a pipe is gone
            check_text(path, "\n".join(read_lines(path)) + "\n")


def check_text(path: Path, text: str) -> None:
    """Raise ValueError for `text`, the content of `path`, as `check_files` does."""
    try:
        if isinstance(json.loads(text, object_pairs_hook=_distinct), dict):  # Snakemake tries JSON first, too
            return
    except json.JSONDecodeError:
        pass
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    try:
        root = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError(_unreadable(path, error)) from None
    if not isinstance(root, yaml.MappingNode):
        raise ValueError(f"{path}: expected keys with values, such as `grid:`, got none; name another file")
    for node in _nodes(root):
        _check_tag(path, node)
        if isinstance(node, yaml.MappingNode):
            _check_keys(path, node)
        elif isinstance(node, yaml.ScalarNode) and not node.style:
            _check_plain(path, node)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the key {twice[0]} stands twice in one section; keep one of them")
    return dict(pairs)


def _unreadable(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    within = getattr(error, "context", None)
    if within and getattr(error, "context_mark", None):
        within = f"{within} of line {error.context_mark.line + 1}"  # type: ignore[attr-defined]
    told = (within, getattr(error, "problem", None))
    reason = ", ".join(" ".join(str(one).split()) for one in told if one) or type(error).__name__
    return (
        f"{path}{place}: no valid YAML ({reason}); mend it: indent with spaces, close brackets and quotes, "
        "and put text with : or # or { in quotes"
    )


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Each node once, although aliases repeat some."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        children = node.value if isinstance(node, yaml.CollectionNode) else ()
        for child in children:
            waiting += child if isinstance(child, tuple) else (child,)


def _check_tag(path: Path, node: yaml.Node) -> None:
    if node.tag not in KNOWN:
        told = "=" if node.tag.endswith(":value") else node.tag.replace("tag:yaml.org,2002:", "!!")
        raise ValueError(
            f"{path}, line {node.start_mark.line + 1}: {told} stands for nothing that is read here; write "
            "plain text, or put it in quotes"
        )


def _check_keys(path: Path, section: yaml.MappingNode) -> None:
    first: dict[tuple[str, str], int] = {}
    for key, _ in section.value:
        line = key.start_mark.line + 1
        if key.tag == BOOLEAN:
            raise ValueError(
                f"{path}, line {line}: the key {key.value} is read as true or false; put it in quotes"
            )
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"{path}, line {line}: a key is a list or section; write text as a key")
        if (key.tag, key.value) in first:
            raise ValueError(
                f"{path}, line {line}: the key {key.value} stands in this section already, in line "
                f"{first[key.tag, key.value]}, and the last one would win; keep one of them"
            )
        first[key.tag, key.value] = line


def _check_plain(path: Path, node: yaml.ScalarNode) -> None:
    place, text = f"{path}, line {node.start_mark.line + 1}", node.value
    if node.tag in (INTEGER, FLOAT, TEXT) and ZERO_FIRST.fullmatch(text):
        raise ValueError(
            f"{place}: {text} begins with 0, by which YAML counts in eights (010 is 8); write a number "
            "without it, or text in quotes"
        )
    if node.tag in (INTEGER, FLOAT) and BASE_SIXTY.fullmatch(text):
        raise ValueError(
            f"{place}: YAML reads {text} in sixties, as minutes and seconds; write the number, or text in "
            "quotes"
        )
