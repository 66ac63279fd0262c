"""Paths and names of the configuration: what cannot work is told at parsing, all else is taken as it is."""

from pathlib import Path

import pytest
import yaml

from segguided.config.checks.paths import usable_path
from segguided.config.workflow import load
from segguided.data.splits import read_manifest

ROOT = Path(__file__).parents[3]
WRONG = {
    "": "is empty; name a folder or file",
    "  ": "is empty",
    "{x}": "holds braces, which Snakemake takes for wildcards; rename it",
    "results/${HOME}": "holds braces",
    "a}b": "holds braces",
    "<logs>/x": "holds <…>, which Snakemake replaces by a path of its own; rename it",
    "a/<results>": "holds <…>",
    "-x": "begins with '-', which commands take for an option; write ./ before it",
    "@list": "begins with '@', which commands take for an option; write ./ before it",
    "~/results": "begins with '~', which is not replaced by a folder here; write the whole path",
    "~me": "begins with '~'",
    "a\nb": "holds a line break or another control character; rename it",
    "a\tb": "holds a line break",
    "a\x00b": "holds a line break",
    "a\x1b[31mb": "holds a line break",
    "a\u2028b": "holds a line break",
    "x" * 300: "has a name of 300 bytes, but file systems allow 255; shorten it",
    f"/data/{'肝' * 86}/x": "has a name of 258 bytes",
    "/".join(["x" * 200] * 5): "has 1004 bytes; keep to 1000",
}
RIGHT = [
    "results", "/data/my results", "$(touch PWNED)x", "`x`", "it's", 'so "named"', "a;b&c|d>e<f", "*?[a]",
    "肝臓", "./-x", "./@x", "a-b@c~d", "a < b > c", "x" * 255, "/".join(["x" * 100] * 9), "..", " x ",
]  # fmt: skip


def shipped():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.mark.parametrize(("path", "fault"), WRONG.items(), ids=range(len(WRONG)))
@pytest.mark.parametrize("key", ["results", "logs", "benchmarks"])
def test_paths_that_cannot_work_are_refused_in_one_sentence(path, fault, key):
    with pytest.raises(ValueError, match=r"^config: pathvars\.") as caught:
        load({**shipped(), "pathvars": {key: path}})
    message = str(caught.value)
    assert message.startswith(f"config: pathvars.{key}: the path ")
    assert fault in message
    assert "\n" not in message
    assert message.isprintable(), "nothing of it acts on a terminal"
    assert len(message) < 250


@pytest.mark.parametrize("path", RIGHT, ids=range(len(RIGHT)))
def test_all_other_paths_are_taken_as_they_are(path):
    assert usable_path(path) == path
    assert load({**shipped(), "pathvars": {"results": path}}).pathvars == {"results": path}


def changed(*keys):
    """The shipped settings with another value at `keys[:-1]`."""
    settings = shipped()
    section = settings
    for key in keys[:-2]:
        section = section[key]
    section[keys[-2]] = keys[-1]
    return settings


@pytest.mark.parametrize("path", ["a{b}", "-x", "<results>/raw", "x" * 256])
@pytest.mark.parametrize(
    "keys",
    [
        ("datasets", "breast-mri", "manifest"),
        ("datasets", "breast-mri", "source", "masks"),
        ("datasets", "ct-organ", "source", "folder"),
    ],
)
def test_the_users_own_paths_are_checked_too(path, keys):
    with pytest.raises(ValueError, match=rf"^config: {'.'.join(keys)}: the path "):
        load(changed(*keys, path))


@pytest.mark.parametrize("section", ["datasets", "models"])
def test_names_that_are_too_long_for_a_folder_are_refused(section):
    settings = shipped()
    first = next(iter(settings[section]))
    settings[section]["x" * 64] = settings[section][first]
    load(settings)
    settings[section]["x" * 65] = settings[section][first]
    with pytest.raises(ValueError, match=r"expected at most 64 characters \(names become folders\), got"):
        load(settings)


@pytest.mark.parametrize("patient", ["x" * 300, "x" * 181, "肝" * 61, "é" * 91])
def test_patients_whose_names_no_file_can_have_are_refused(tmp_path, patient):
    table = tmp_path / "t.tsv"
    table.write_text(f"patient\n{patient}\n")
    with pytest.raises(ValueError, match=r"the patient name '.*…' has \d+ bytes, .*shorten it to 180"):
        read_manifest(table)


@pytest.mark.parametrize("patient", ["x" * 180, "肝" * 60, "1.3.6.1.4.1.14519.5.2.1." + "1" * 40])
def test_long_names_of_patients_are_fine(tmp_path, patient):
    """Also with what is added while a file of theirs is written."""
    table = tmp_path / "t.tsv"
    table.write_text(f"patient\n{patient}\n")
    assert [row["patient"] for row in read_manifest(table)] == [patient]
    (tmp_path / f".{patient}.4194304.partial.nii.gz").touch()


@pytest.mark.parametrize("title", ["-MAT", "--model", "-"])
def test_a_title_that_a_command_takes_for_an_option_is_refused(title):
    with pytest.raises(ValueError, match=r"models\.spade\.title: '.*' begins with '-'"):
        load(changed("models", "spade", "title", title))
