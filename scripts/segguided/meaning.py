"""What a Python file means: its parsed code, without all that changes no result.

The digest of a rule's code and the fingerprint of a training are made of it. It is the same on Python 3.11,
3.12 and 3.13; Python's own `ast.dump` is not, because each version adds fields or leaves empty ones out.
"""

import ast
import hashlib
from collections.abc import Sequence
from pathlib import Path

TEXT = "text"  # what the serialised code holds in the place of a message
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
# Calls whose texts only people read; so are those of a raise and of an assert.
LOGGED = frozenset(f"{log}.{level}" for log in ("LOG", "logging") for level in LEVELS)
ERRORS = frozenset({"ValueError", "OSError", "RefusedError"})  # made in one place and raised in another
MESSAGES = LOGGED | ERRORS | {"warnings.warn", "sys.exit"}
HELP = frozenset({"help", "description", "epilog"})  # keywords of the calls below, which argparse prints
HELPED = frozenset({"ArgumentParser", "add_argument", "add_argument_group", "add_parser", "add_subparsers"})
UNREAD = frozenset({"ctx", "kind", "type_comment", "type_ignores"})  # fields that say nothing new


def meaning_of(path: Path) -> str:
    """The digest of a file, see `meaning`. Raises SyntaxError where it is no Python."""
    return meaning(ast.parse(path.read_bytes(), str(path)))


def meaning(tree: ast.Module) -> str:
    """The SHA-256 of a parsed file's code, in hexadecimal digits.

    It does not change with comments, docstrings, formatting, positions, `pass` and constants that are
    statements, nor with the texts of exceptions, assertions, logs, warnings and argparse's help. In such a
    text not even the expressions of an f-string count. All else counts; also a message that has a name
    (`ADVICE = "..."`), because a name may be used for something else too.
    """
    writer = _Writer()
    writer.write(tree)
    return hashlib.sha256("\n".join(writer.words).encode()).hexdigest()


class _Writer:
    """Writes a tree as words, in a form that depends on no version of Python."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._messages: set[int] = set()  # `id` of the expressions that are one

    def write(self, value: object, in_message: bool = False) -> None:
        """Append the words of a node, or of what a field of a node holds."""
        if isinstance(value, list):
            self._write_list(value, in_message)
        elif isinstance(value, ast.AST):
            self._write_node(value, in_message or id(value) in self._messages)
        else:
            self.words.append(ascii(value))  # `repr` follows the version's Unicode tables

    def _write_list(self, values: list[object], in_message: bool) -> None:
        self.words.append("[")
        for value in values:
            self.write(value, in_message)
        self.words.append("]")

    def _write_node(self, node: ast.AST, in_message: bool) -> None:
        if in_message and _is_text(node):
            self.words.append(TEXT)
            return
        self._messages.update(id(message) for message in _messages(node))
        self.words.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = _value(node, name)
            if value is not None and value != []:  # versions differ in what they leave out
                self.words.append(name)
                self.write(value, in_message)
        self.words.append(")")


def _value(node: ast.AST, field: str) -> object:
    """What counts of a field: of a list all but statements that do nothing; None where nothing counts."""
    if field in UNREAD:
        return None
    value = getattr(node, field, None)  # this version of Python may lack it
    if isinstance(node, ast.JoinedStr):
        return _merged(node.values)
    if isinstance(value, list):
        return [item for item in value if not _does_nothing(item)]
    return value


def _does_nothing(node: object) -> bool:
    """Whether a statement is a docstring, another constant or `pass`."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _merged(parts: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with adjacent texts as one: versions divide them differently."""
    merged: list[ast.expr] = []
    text = ""
    for part in [*parts, None]:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        if text:
            merged.append(ast.Constant(text))
            text = ""
        if part:
            merged.append(part)
    return merged


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _messages(node: ast.AST) -> Sequence[ast.AST]:
    """The expressions within a node whose texts only people read."""
    match node:
        case ast.Raise(exc=ast.AST() as message) | ast.Assert(msg=ast.AST() as message):
            return [message]
        case ast.Call():
            return _messages_of_call(node, _dotted(node.func))
    return []


def _messages_of_call(call: ast.Call, function: str) -> Sequence[ast.AST]:
    if function in MESSAGES:
        return [*call.args, *call.keywords]
    if function.rpartition(".")[2] in HELPED:
        return [keyword for keyword in call.keywords if keyword.arg in HELP]
    return []


def _dotted(function: ast.expr) -> str:
    """`print`, `LOG.info`, `.lower` for a method of an expression; empty for any other."""
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
        case ast.Attribute(attr=name):
            return f".{name}"
    return ""
