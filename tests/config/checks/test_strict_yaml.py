"""YAML's silent traps are refused with file and line; what is meant is read as before."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from check_config import check_config
from segguided.config.checks.strict_yaml import check_files, check_text

ROOT = Path(__file__).parents[3]
HERE = Path("my.yaml")


def refusal(text: str) -> str:
    with pytest.raises(ValueError, match=r"^my\.yaml") as caught:
        check_text(HERE, text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: this section already has the key a, in line 1"),
        ("a:\n  x: 1\n  y: 2\n  x: 1\n", "line 4: this section already has the key x, in line 2"),
        ("a: {x: 1, x: 2}\n", "line 1: this section already has the key x, in line 1"),
        ('a: 1\n"a": 2\n', "line 2: this section already has the key a"),
        ("l:\n- {name: x}\n- name: y\n  name: z\n", "line 4: this section already has the key name"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n", "line 2: this section already has the key <<"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', ": the key c appears twice in one section"),
    ],
)
def test_a_repeated_key_is_refused(text: str, place: str) -> None:
    assert place in refusal(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("label: 010\n", "line 1: 010 begins with 0, which means octal in YAML"),
        ("a:\n- {label: 08}\n", "line 2: 08 begins with 0"),
        ("a: [1, 007]\n", "line 1: 007 begins with 0"),
        ("a: -01\n", "line 1: -01 begins with 0"),
        ("a: 1:30\n", "line 1: YAML reads 1:30 as minutes and seconds"),
        ("a:\n\n  b: 190:20:30\n", "line 3: YAML reads 190:20:30 as minutes and seconds"),
        ("no: 1\n", "line 1: the key no is read as true or false"),
        ("a:\n  on: 1\n", "line 2: the key on is read as true or false"),
        ("models: {NO: {}}\n", "line 1: the key NO is read as true or false"),
        ("? [a, b]\n: 1\n", "line 1: a key is a list or section"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "line 1: !!python/object/apply:os.system has no meaning",
        ),
        ("a:\n  b: !env HOME\n", "line 2: !env has no meaning here"),
        ("a: =\n", "line 1: = has no meaning here"),
    ],
)
def test_values_that_yaml_reads_otherwise(text: str, place: str) -> None:
    assert place in refusal(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1,\nb: {\n", "line 3, column 1: no valid YAML (while parsing a flow node of line 3"),
        ("a: 1\nb: [1,\nc: 2\n", "while parsing a flow sequence of line 2"),
        ("a:\n\tb: 1\n", "line 2, column 1"),
        ("a: b: c\n", "line 1, column 5"),
        ("a: 1\nb: 'x\n", "line 3"),
        ("a: @x\n", "line 1, column 4"),
        ("a: 1\nb: *absent\n", "line 2, column 4"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ('{"a": 1,}}', "line 1"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text: str, place: str) -> None:
    message = refusal(text)
    assert place in message
    assert "no valid YAML (" in message


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "word\n", "3\n", "--- null\n"])
def test_what_has_no_keys(text: str) -> None:
    assert "expected keys with values" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\n",
        "a: &x {b: 1}\ny: &y {c: 2}\nd: {<<: [*x, *y], b: 3}\n",
        "a: 0\nb: 0.5\nc: 1e-4\nd: '010'\ne: \"1:30\"\nf: -0\ng: 10\n",
        "a: yes\nb: false\nc: ~\n",
        "a: {x: 1}\nb: {x: 1}\n",
        "title: |\n  010\n",
        '{"a": 1, "b": [1, 2]}',
        "? a\n: 1\n",
        "when: 2026-01-01\nname: p_01\nlist: [s01, 0x1F]\n",
    ],
)
def test_what_is_meant_is_read_as_before(text: str) -> None:
    check_text(HERE, text)
    assert yaml.safe_load(text)


def test_the_files_of_the_repository() -> None:
    check_files(ROOT / name for name in ("config.yaml", "workflow/demo.yaml", "tests/support/miniature.yaml"))
    check_files([ROOT, ROOT / "absent.yaml"])  # Snakemake's own to tell
    check_config([ROOT / "config.yaml", ROOT / "workflow/demo.yaml"])
    check_config([ROOT / "config.yaml", ROOT / "tests/support/miniature.yaml"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("grid: {seeds: [0], seeds: [1]}\n", r"my\.yaml, line 1: this section already has the key seeds"),
        ("grid: {datasets: [x]}\n", r"grid\.datasets names 'x'; defined: "),
        ("grid: {\n", r"my\.yaml, line 2, column 1: no valid YAML"),
    ],
)
def test_the_script_names_file_line_and_path(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(ValueError, match=reason):
        check_config([ROOT / "config.yaml", tmp_path / "my.yaml"])
    with pytest.raises(ValueError, match="expected a configuration file, but there is none"):
        check_config([tmp_path / "absent.yaml"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=4), st.booleans())
def test_what_a_program_writes_is_let_through(values: dict[str, object], flow: bool) -> None:
    text = yaml.safe_dump(values, default_flow_style=flow, allow_unicode=False)
    check_text(HERE, text)
    assert yaml.safe_load(text) == values


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text("ab:{}[],&*<!|>'\"#-? \n01", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        check_text(HERE, text)
    except ValueError as error:
        assert str(error).startswith("my.yaml")
