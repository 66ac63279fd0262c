"""What the errors of the configuration say: the path, what came and what to do, in one sentence each."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from segguided.shown import printable, without_secrets

Schema = Mapping[str, Any]

# By pydantic's type of error: what was expected, from the error's context.
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
    "string_pattern_mismatch": "letters, digits, '_' and '-' only, not '-' first, for names become folders",
    "string_too_long": "at most {max_length} characters, for names become folders",
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
}


def sentences(error: ValidationError, values: object, schema: Schema) -> list[str]:
    """One sentence for each mistake that `error` found in `values`, which should follow the JSON `schema`."""
    inside = {one["loc"][:-1] for one in error.errors()}
    # A list of which an entry is refused counts as too short as well: the entry's own sentence says it.
    told = [one for one in error.errors() if one["type"] != "too_short" or one["loc"] not in inside]
    return [_sentence(one, values, schema) for one in told]


def _sentence(error: ErrorDetails, values: object, schema: Schema) -> str:
    location, context = error["loc"], error.get("ctx", {})
    path, node = _follow(location, values, schema)
    match error["type"]:
        case "extra_forbidden":
            _, section = _follow(location[:-1], values, schema)
            text = f"unknown key {path}; {_suggestion(str(location[-1]), section)}"
        case "missing":
            text = f"{path} is missing; add it"
        case "union_tag_not_found":
            text = f"{path}.kind is missing; add one of {_kinds(node)}"
        case "union_tag_invalid":
            text = f"{path}.kind is '{context['tag']}'; the known kinds are {_kinds(node)}"
        case "value_error":
            text = f"{path}: {context['error']}" if path else str(context["error"])
        case type_:
            expected = EXPECTED[type_].format(**context) if type_ in EXPECTED else f"other ({error['msg']})"
            text = f"{path or 'the file'}: expected {expected}, got {_shown(error['input'])}"
    return text


def _follow(location: Sequence[int | str], values: object, schema: Schema) -> tuple[str, Schema]:
    """The path as a person writes it, and what the schema says there."""
    path, value, node = "", values, _resolved(schema, values, schema)
    kind_follows = False  # pydantic also names the kind it took, which is no key but may be called as one
    for part in location:
        section = value if isinstance(value, Mapping) else {}
        if kind_follows and part == section.get("kind"):
            kind_follows = False
            continue
        if part == "[key]":
            return f"the name {path}", node
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        named: Schema = next(iter(node.get("patternProperties", {}).values()), {})
        node = node.get("properties", {}).get(part) or node.get("items") or named
        value = (
            value[part] if isinstance(part, int) and isinstance(value, list | tuple) else section.get(part)
        )
        kind_follows = "discriminator" in _dereferenced(node, schema)
        node = _resolved(node, value, schema)
    return path, node


def _dereferenced(node: Schema, schema: Schema) -> Schema:
    return _dereferenced(schema["$defs"][node["$ref"].rsplit("/", 1)[1]], schema) if "$ref" in node else node


def _resolved(node: Schema, value: object, schema: Schema) -> Schema:
    """Follow references, also of an optional section, and in a union of kinds the kind the value names."""
    if "$ref" in node:
        return _resolved(schema["$defs"][node["$ref"].rsplit("/", 1)[1]], value, schema)
    sections = [choice for choice in node.get("anyOf", []) if "$ref" in choice]
    if len(sections) == 1:
        return _resolved(sections[0], value, schema)
    kinds = node.get("discriminator", {}).get("mapping", {})
    kind = str(value.get("kind")) if isinstance(value, Mapping) else ""
    return _resolved({"$ref": kinds[kind]}, value, schema) if kind in kinds else node


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
