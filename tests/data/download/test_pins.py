"""Source packages of a patient table: only a name with a version, a SHA-256 and file names are accepted."""

import pytest

from segguided.data.download.pins import parse_pin, pinned_packages

PIN = "tinyscan==1.0"


HOSTILE_NAMES = (
    "../x==1.0", "-r x==1", "-r==1.0", "x y==1.0", "git+https://h/x==1", "x @ https://h/x", "x==1.0/..", "x",
    "..==1.0", "x==one", "x==1.0;y", "x==1.0\n--index-url=y", "x==$(touch y)", "ä==1.0", "x" * 300 + "==1",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_requirements_without_name_or_version_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="pinned package"):
        parse_pin(name)


def row(**changes: str) -> dict[str, str]:
    return {
        "patient": "p",
        "package": PIN,
        "sha256": "0" * 64,
        "member": "a/b",
        "blood": "",
        "slices": "",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"package": "x"}, "pinned package"),
        ({"sha256": "0" * 63}, "64 hexadecimal digits"),
        ({"sha256": "G" * 64}, "64 hexadecimal digits"),
        ({"member": "../a"}, "inside the archive"),
        ({"member": ""}, "inside the archive"),
        ({"blood": "a; /etc/passwd"}, "inside the archive"),
        ({"blood": "a\x1b[1m"}, "inside the archive"),
        ({"sha256": "1" * 64}, "another sha256 than in an earlier row"),
    ],
)
def test_rows_are_checked_before_anything_runs(changes: dict[str, str], expected: str) -> None:
    assert pinned_packages({"t.tsv": [row(), row(patient="q")]}) == {PIN: "0" * 64}
    with pytest.raises(ValueError, match=rf"t\.tsv, patient q: .*{expected}"):
        pinned_packages({"t.tsv": [row(), row(patient="q", **changes)]})
