"""YAML's silent traps in configuration files are refused, with file and line."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from segguided.text_tables import read_lines

# That of libyaml, where it is installed, is ten times as fast.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BOOLEAN = "tag:yaml.org,2002:bool"
INTEGER = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
TEXT = "tag:yaml.org,2002:str"
KNOWN = {*yaml.SafeLoader.yaml_constructors, "tag:yaml.org,2002:merge"}  # tags that stand for values
ZERO_FIRST = re.compile(r"[-+]?0[0-9_]+")  # 010 is 8 in YAML 1.1, and 08 is text
BASE_SIXTY = re.compile(r"[-+]?[0-9_]+(:[0-5]?[0-9])+(\.[0-9_]*)?")  # 1:30 is 90


def check_files(paths: Iterable[Path]) -> None:
    """Raise ValueError, with file and line, for a file that is no YAML or that YAML would misread."""
    for path in paths:
        if path.is_file():  # a pipe is empty after Snakemake read it
            check_text(path, "\n".join(read_lines(path)) + "\n")


def check_text(path: Path, text: str) -> None:
    """Raise ValueError for `text`, the content of `path`, as `check_files` does."""
    if _is_json(path, text):  # Snakemake tries JSON first, too
        return
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


def _is_json(path: Path, text: str) -> bool:
    """Whether the text is a JSON object. Raises ValueError where it repeats a key."""
    try:
        return isinstance(json.loads(text, object_pairs_hook=_distinct), dict)
    except json.JSONDecodeError:
        return False
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"the key {repeated[0]} appears twice in one section; keep one of them")
    return dict(pairs)


def _unreadable(path: Path, error: yaml.YAMLError) -> str:
    """The sentence on a text that the YAML parser refuses."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return (
        f"{path}{place}: no valid YAML ({_parser_reason(error)}); correct it: indent with spaces, close "
        "brackets and quotes, and put text with : or # or { in quotes"
    )


def _parser_reason(error: yaml.YAMLError) -> str:
    """What the parser was reading and what it met, on one line."""
    context = getattr(error, "context", None)
    context_mark = getattr(error, "context_mark", None)
    if context and context_mark:
        context = f"{context} of line {context_mark.line + 1}"
    parts = [part for part in (context, getattr(error, "problem", None)) if part]
    return ", ".join(" ".join(str(part).split()) for part in parts) or type(error).__name__


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Each node once, although aliases repeat some nodes."""
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
        shown = "=" if node.tag.endswith(":value") else node.tag.replace("tag:yaml.org,2002:", "!!")
        raise ValueError(
            f"{path}, line {node.start_mark.line + 1}: {shown} has no meaning here; write plain text, or put "
            "it in quotes"
        )


def _check_keys(path: Path, section: yaml.MappingNode) -> None:
    first_lines: dict[tuple[str, str], int] = {}  # by a key's tag and text
    for key, _ in section.value:
        line = key.start_mark.line + 1
        if key.tag == BOOLEAN:
            raise ValueError(
                f"{path}, line {line}: the key {key.value} is read as true or false; put it in quotes"
            )
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"{path}, line {line}: a key is a list or section; write text as a key")
        identity = (key.tag, key.value)
        if identity in first_lines:
            raise ValueError(
                f"{path}, line {line}: this section already has the key {key.value}, in line "
                f"{first_lines[identity]}, and YAML would take the last one; keep one of them"
            )
        first_lines[identity] = line


def _check_plain(path: Path, node: yaml.ScalarNode) -> None:
    place = f"{path}, line {node.start_mark.line + 1}"
    text = node.value
    if node.tag in (INTEGER, FLOAT, TEXT) and ZERO_FIRST.fullmatch(text):
        raise ValueError(
            f"{place}: {text} begins with 0, which means octal in YAML (010 is 8); write a number "
            "without it, or text in quotes"
        )
    if node.tag in (INTEGER, FLOAT) and BASE_SIXTY.fullmatch(text):
        raise ValueError(
            f"{place}: YAML reads {text} as minutes and seconds (1:30 is 90); write the number, or text in "
            "quotes"
        )
