"""The digest of a file's meaning: what changes no result changes no digest, on every version of Python."""

import ast
import os
import subprocess
from pathlib import Path

import pytest

from segguided.meaning import meaning, meaning_of

SCRIPTS = Path(__file__).parents[1] / "scripts"
CODE = '''"""What it does."""

import argparse
import logging
import warnings

LOG = logging.getLogger("name")
ADVICE = "get it again"


@cache
def scale(values: list[float], factor: float = 2.0) -> list[float]:
    """Each value times `factor`."""
    if factor <= 0:
        raise ValueError(f"expected a positive factor, got {factor}; " + ADVICE)
    assert values, "no values"
    LOG.info("scaling %d values", len(values))
    warnings.warn("slow", stacklevel=2)
    return [value * factor for value in values]


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Scale values.")
    parser.add_argument("--factor", type=float, default=1.5, help="that all are multiplied with")
    return parser


def damaged(path: str) -> ValueError:
    return ValueError(f"{path} is damaged")


class Learner:
    """Learns."""

    rate: float = 0.1

    def step(self) -> None:
        """Does nothing yet."""


def key(name: str, n: int) -> str:
    return f"{name:>{n}}/{n!r}" f":{n:02d}"
'''


def of(text: str) -> str:
    return meaning(ast.parse(text))


def edited(old: str, new: str) -> str:
    assert CODE.count(old) == 1
    return of(CODE.replace(old, new))


SAME = {
    "a comment": ("import warnings\n", "import warnings  # loud\n# really\n"),
    "the module's docstring": ('"""What it does."""\n', ""),
    "a function's docstring": ('"""Each value times `factor`."""', '"""Scaled."""'),
    "a docstring that is the whole body": ('"""Does nothing yet."""', "pass"),
    "a docstring of an attribute": ("rate: float = 0.1\n", 'rate: float = 0.1\n    """A step."""\n'),
    "formatting": (
        "values: list[float], factor: float = 2.0",
        "\n    values : list[float],\n  factor: float=2.0,",
    ),
    "quotes and parentheses": ('ADVICE = "get it again"', "ADVICE = ('get it '\n  'again')"),
    "spelling of a number": ("factor: float = 2.0", "factor: float = 2."),
    "an error's text": ("expected a positive factor, got", "want a factor above 0, not"),
    "an expression in an error's text": ("got {factor};", "got {factor:.3f} of {len(values)} values;"),
    "an error that a function returns": ("{path} is damaged", "{path}: damaged"),
    "an assertion's text": ('"no values"', 'f"got {values}"'),
    "a log's text": ("scaling %d values", "%d values"),
    "a warning's text": ('"slow"', '"this is slow"'),
    "a parser's description": ("Scale values.", "Multiply values."),
    "an argument's help": ("that all are multiplied with", "of all"),
    "parts of an f-string": ('/{n!r}" f":{n:02d}"', '/{n!r}:{n:02d}"'),
}


@pytest.mark.parametrize("edit", SAME)
def test_what_changes_no_result_changes_no_digest(edit):
    assert edited(*SAME[edit]) == of(CODE)


OTHER = {
    "a constant": ("0.1", "0.2"),
    "its type": ("factor: float = 2.0", "factor: float = 2"),
    "an operator": ("value * factor", "value + factor"),
    "a name": ("def scale", "def rescale"),
    "a default": ("factor: float = 2.0", "factor: float = 3.0"),
    "a default of an argument": ("default=1.5", "default=1.6"),
    "a keyword": ("stacklevel=2", "stacklevel=3"),
    "an option": ('"--factor"', '"--by"'),
    "a decorator": ("@cache\n", ""),
    "an annotation": ("rate: float", "rate: int"),
    "the condition of an error": ("factor <= 0", "factor < 0"),
    "the kind of an error": ("raise ValueError", "raise TypeError"),
    "the condition of an assertion": ("assert values,", "assert factor,"),
    "a name in an error's text": ('got {factor}; " + ADVICE', 'got {factor}; " + str(factor)'),
    "a text with a name": ("get it again", "get it anew"),
    "a logger's name": ('getLogger("name")', 'getLogger("other")'),
    "what a log is given": ("len(values))", "sum(values))"),
    "an f-string that is no message": ("/{n!r}", "-{n!r}"),
    "a conversion": ("{n!r}", "{n!s}"),
    "a format": (":02d", ":03d"),
    "an import": ("import warnings\n", "import warnings\nimport json\n"),
    "a statement less": ('    LOG.info("scaling %d values", len(values))\n', ""),
}


@pytest.mark.parametrize("edit", OTHER)
def test_what_may_change_a_result_changes_the_digest(edit):
    assert edited(*OTHER[edit]) != of(CODE)


def test_texts_count_where_a_call_only_resembles_one_with_messages():
    for call in ("write(help={})", "Card(description={})", "LOG.getChild({})", "warnings.filterwarnings({})"):
        assert of(call.format("'a'")) != of(call.format("'b'")), call


ALIKE = "x 'x' f'x' [x] (x,) None 'None' f(x) f(*x) f(**x) f(x=x) {**x} {None:x} {x:None} x[1:] x[:1] x[::1]"


def test_a_name_is_no_text_and_fields_are_not_confused():
    codes = ALIKE.split()
    assert len({of(f"y = {code}") for code in codes}) == len(codes)


def test_fields_that_only_some_versions_have_and_what_they_leave_out_do_not_count():
    """As between 3.11 and 3.12, which adds `type_params`, and 3.13, where an empty list may be absent."""
    tree = ast.parse(CODE)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node._fields = (*type(node)._fields, "type_params", "novelty")
            node.type_params = []
            node.novelty = None
            if not node.decorator_list:
                del node.decorator_list
        if isinstance(node, ast.JoinedStr):
            node.values = [part for value in node.values for part in (ast.Constant(""), value)]
    assert meaning(tree) == of(CODE)


PRINTING = f"""if True:
    import sys
    from pathlib import Path
    sys.path.insert(0, {str(SCRIPTS)!r})
    from segguided.meaning import meaning_of
    print(*(meaning_of(path) for path in sorted(Path({str(SCRIPTS)!r}).rglob("*.py"))))
"""


def printed_by(version: str) -> list[str]:
    """The digests of all scripts by the Python of this version; skips the test where it is not installed."""
    environment = {**os.environ, "PYENV_VERSION": version}  # where pyenv keeps several, it asks which
    command = [f"python{version}", "-I", "-c", PRINTING]
    try:
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError:
        pytest.skip(f"no python{version} is installed")
    if result.returncode == 127:
        pytest.skip(f"no python{version} is installed: {result.stderr}")
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_file_here_means_the_same_to_each_version_of_python(version):
    assert printed_by(version) == [meaning_of(path) for path in sorted(SCRIPTS.rglob("*.py"))]


def test_a_loss_that_is_called_an_error_is_no_message() -> None:
    summed, mean = (
        meaning(ast.parse(f'loss = MeanSquaredError(reduction="{how}")')) for how in ("sum", "mean")
    )
    assert summed != mean
