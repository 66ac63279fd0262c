"""The source of each rule in workflow/rules, with what it inherits by `use rule ... as ... with:`."""

import re
from functools import cache

from support.miniature import ROOT

HEAD = re.compile(r"^(?:use rule (?P<base>\w+) as (?P<heir>\w+) with|rule (?P<name>\w+)):$", re.MULTILINE)
Directives = dict[str, str]  # the text below each, by its name


@cache
def rule_sources() -> dict[str, Directives]:
    """The directives of each rule, its own and inherited ones. `params` are inherited one by one."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    own = {
        head["heir"] or head["name"]: (head["base"], _body(text, head.end())) for head in HEAD.finditer(text)
    }
    return {name: _with_inherited(name, own) for name in own}


def _body(text: str, start: int) -> Directives:
    """The directives of the indented block that begins at `start`."""
    block = re.match(r"\n(?:(?: {4}.*)?\n)+", text[start:])
    assert block, "a rule without directives"
    parts = re.split(r"^ {4}(\w+):", block[0], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _with_inherited(name: str, own: dict[str, tuple[str | None, Directives]]) -> Directives:
    base, directives = own[name]
    if base is None:
        return directives
    inherited = _with_inherited(base, own)
    params = _entries(inherited["params"]) | _entries(directives.get("params", ""))
    return {**inherited, **directives, "params": "".join(params.values())}


def _entries(text: str) -> dict[str, str]:
    """The text of each named entry of a directive."""
    parts = re.split(r"^( {8}\w+=)", text, flags=re.MULTILINE)[1:]
    return {key: key + value for key, value in zip(parts[::2], parts[1::2], strict=True)}
