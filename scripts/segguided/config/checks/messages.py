"""One sentence for each mistake in the configuration: the path, what came and what to do."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from segguided.shown import printable, without_secrets

Schema = Mapping[str, Any]

# What was expected, by pydantic's type of error. The braces name values of the error's context.
EXPECTED = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:.10g}",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text, in quotes where it looks like a number",
    "string_pattern_mismatch": "letters, digits, '_' and '-' only, not '-' first (names become folders)",
    "string_too_long": "at most {max_length} characters (names become folders)",
    "literal_error": "{expected}",
    "model_type": "a section of keys with values",
    "model_attributes_type": "a section of keys with values",
    "dict_type": "a section of keys with values",
    "mapping_type": "a section of keys with values",
    "tuple_type": "a list such as [a, b]",
    "too_short": "at least {min_length} in the list",
    "too_long": "at most {max_length} in the list",
}
# Keys of earlier versions, and their names now.
RENAMED = {
    "part_size": "micro_batch_size",
    "micro_batch": "micro_batch_size",
    "draws": "samples_per_mask",
    "rare_images": "rare",
}


def sentences(error: ValidationError, values: object, schema: Schema) -> list[str]:
    """One sentence for each mistake that `error` found in `values`, which should follow the JSON `schema`."""
    mistakes = error.errors()
    # A list with a refused entry also counts as too short; the sentence on the entry says enough.
    parents = {mistake["loc"][:-1] for mistake in mistakes}
    return [
        _sentence(mistake, values, schema)
        for mistake in mistakes
        if mistake["type"] != "too_short" or mistake["loc"] not in parents
    ]


def _sentence(mistake: ErrorDetails, values: object, schema: Schema) -> str:
    location = mistake["loc"]
    context = mistake.get("ctx", {})
    path, node = _locate(location, values, schema)
    match mistake["type"]:
        case "extra_forbidden":
            _, section = _locate(location[:-1], values, schema)
            text = f"unknown key {path}; {_suggestion(str(location[-1]), section)}"
            if "kind" in section.get("properties", {}):
                text += _removal(str(location[-1]))
        case "missing":
            text = f"{path} is missing; add it"
        case "union_tag_not_found":
            text = f"{path}.kind is missing; add one of {_kinds(node)}"
        case "union_tag_invalid":
            text = f"{path}.kind is '{context['tag']}'; the known kinds are {_kinds(node)}"
        case "value_error":
            text = f"{path}: {context['error']}" if path else str(context["error"])
        case type_:
            other = f"other ({mistake['msg']})"
            expected = EXPECTED[type_].format(**context) if type_ in EXPECTED else other
            text = f"{path or 'the file'}: expected {expected}, got {_shown(mistake['input'])}"
    return text


def _removal(key: str) -> str:
    """How to remove what another configuration file, whose section is of another kind, leaves behind."""
    return f". If another configuration file has it, for another kind: set {key} to null to remove it"


def _locate(location: Sequence[int | str], values: object, schema: Schema) -> tuple[str, Schema]:
    """The path as a person writes it, and what the schema says there."""
    path = ""
    value = values
    node = _resolved(schema, values, schema)
    kind_follows = False  # pydantic also names the kind it took, which is no key but may be called as one
    for part in location:
        if kind_follows and part == _child(value, "kind"):
            kind_follows = False
            continue
        if part == "[key]":
            return f"the name {path}", node
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        node = _schema_below(node, part)
        value = _child(value, part)
        kind_follows = "discriminator" in _dereferenced(node, schema)
        node = _resolved(node, value, schema)
    return path, node


def _child(value: object, part: int | str) -> object:
    """The entry of a section or list; None where there is none."""
    if isinstance(value, Mapping):
        return value.get(part)
    return value[part] if isinstance(part, int) and isinstance(value, list | tuple) else None


def _schema_below(node: Schema, part: int | str) -> Schema:
    """What the schema says of a key, of the entries of a list, or of names that a user chooses."""
    user_named: Schema = next(iter(node.get("patternProperties", {}).values()), {})
    return node.get("properties", {}).get(part) or node.get("items") or user_named


def _dereferenced(node: Schema, schema: Schema) -> Schema:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def _resolved(node: Schema, value: object, schema: Schema) -> Schema:
    """Follow references, also of an optional section, and in a union of kinds the kind the value names."""
    node = _dereferenced(node, schema)
    sections = [choice for choice in node.get("anyOf", []) if "$ref" in choice]
    if len(sections) == 1:
        return _resolved(sections[0], value, schema)
    kinds = node.get("discriminator", {}).get("mapping", {})
    kind = str(_child(value, "kind"))
    return _dereferenced({"$ref": kinds[kind]}, schema) if kind in kinds else node


def _suggestion(key: str, section: Schema) -> str:
    known = sorted(section.get("properties", {}))
    if RENAMED.get(key) in known:
        return f"it is now called {RENAMED[key]}"
    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


def _kinds(union: Schema) -> str:
    return ", ".join(sorted(union["discriminator"]["mapping"]))


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a section"
    text = printable(without_secrets(repr(list(value) if isinstance(value, tuple) else value)))
    return text if len(text) <= 60 else f"{text[:57]}…"
