"""Patient tables and splits: what is refused, and that no patient is in two places."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segguided.config.datasets import RandomSplit
from segguided.data.splits import (
    BLOCK,
    GAP,
    SPLITS,
    UNDECIDED,
    assign_splits,
    half_of_slice,
    halve_test,
    in_half,
    read_comments,
    read_manifest,
    sample_patients,
)

ROOT = Path(__file__).parents[2]


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "patients.tsv").write_text(text, encoding=encoding)
    return folder / "patients.tsv"


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=re.escape(path.name)) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Tables


def test_rows_comments_and_empty_lines(tmp_path: Path) -> None:
    path = table(tmp_path, "# from there\npatient\tsplit\n\np1\ttrain\n# more\np-2.b_ü+=@\t\n  \n")
    assert read_manifest(path) == [
        {"patient": "p1", "split": "train"},
        {"patient": "p-2.b_ü+=@", "split": ""},
    ]


def test_comments_are_read_without_their_mark(tmp_path: Path) -> None:
    assert read_comments(table(tmp_path, "# from there\npatient\np1\n#more \n")) == ["from there", "more"]


def test_tables_saved_by_a_spreadsheet(tmp_path: Path) -> None:
    path = table(tmp_path, "patient\tsplit\r\np1\ttrain\r\n", "utf-8-sig")
    assert read_manifest(path) == [{"patient": "p1", "split": "train"}]


@pytest.mark.parametrize("path", sorted(ROOT.glob("workflow/manifests/*.tsv")), ids=lambda path: path.stem)
def test_the_tables_of_the_repository(path: Path) -> None:
    assert len(read_manifest(path)) >= 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a tab-separated table with the column patient, but it holds no row"),
        ("patient\tsplit\n", "at least one row"),
        (
            "patient,split\np1,train\n",
            "line 1: expected a tab-separated table with the column patient, got 'pat",
        ),
        ("name\tsplit\np1\ttrain\n", "with the column patient, got 'name', 'split'; add patient"),
        ("patient\tsplit\np1\n", "line 2: expected 2 cells as in the header, got 1 (the first is 'p1')"),
        ("patient\tsplit\np1\ttrain\tx\n", "line 2: expected 2 cells as in the header, got 3 (the first is"),
        ("patient\tsplit\n\ttrain\n", "'' cannot name a patient"),
        ("patient\np1\np2\np1\n", "patient p1 appears twice; a patient belongs to one split only"),
        ("patient\tsplit\np1\ttrain\np1\ttest\n", "patient p1 appears twice (in test and train); a patient"),
        ("patient\tsplit\np1\ttest\np1\ttest\n", "patient p1 appears twice (in test); a patient"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(table(tmp_path, text))


@pytest.mark.parametrize(
    "name", ["a/b", "..", "../a", ".hidden", "-flag", "a b", "a ", "{x}", "a*", "a\\b", "a;b"]
)
def test_names_that_are_no_file_names(tmp_path: Path, name: str) -> None:
    message = refusal(table(tmp_path, f"patient\np1\n{name}\n"))
    assert (
        f"'{name}' cannot name a patient, because it becomes a file name; use letters, digits and _"
        in message
    )


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory); name an existing" in refusal(tmp_path / "absent.tsv")
    assert "expected a text file, but it is a folder; name a file" in refusal(tmp_path)
    message = refusal(table(tmp_path, "patient\nMüller\n", "latin-1"))
    assert "line 2: expected text in UTF-8, got the byte 0xfc" in message and "save the file" in message


# Splits


def listed(**splits: str) -> list[dict[str, str]]:
    return [{"patient": patient, "split": split} for patient, split in splits.items()]


def test_the_column_decides() -> None:
    rows = listed(c="train", b="test", a="train", d="held-out")
    assert assign_splits(rows, None) == {"train": ["a", "c"], "held-out": ["d"], "test": ["b"]}


def test_unknown_and_empty_splits() -> None:
    with pytest.raises(ValueError, match="patient a has split 'heldout'; write one of train, held-out, test"):
        assign_splits(listed(a="heldout"), None)
    with pytest.raises(ValueError, match=r"patient a has split ''; .* or set `split:` with counts"):
        assign_splits([{"patient": "a"}], None)
    with pytest.raises(ValueError, match="split 'held-out' has no patient; each of train, held-out, test"):
        assign_splits(listed(a="train", b="test"), None)


patients = st.lists(st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True), min_size=3, max_size=30, unique=True)


@given(patients=patients, seed=st.integers(0, 10**6), data=st.data())
def test_a_random_split_is_disjoint_complete_and_fixed_by_its_seed(
    patients: list[str], seed: int, data: st.DataObject
) -> None:
    held_out = data.draw(st.integers(1, len(patients) - 2))
    test = data.draw(st.integers(1, len(patients) - held_out - 1))
    counts = RandomSplit(seed=seed, held_out=held_out, test=test, column=None)
    rows = [{"patient": patient, "split": "ignored"} for patient in patients]
    splits = assign_splits(rows, counts)
    assert tuple(splits) == SPLITS
    assert (len(splits["held-out"]), len(splits["test"])) == (held_out, test)
    assert sorted(p for names in splits.values() for p in names) == sorted(patients)
    assert all(names == sorted(names) for names in splits.values())
    assert assign_splits(rows[::-1], counts) == splits


def test_another_seed_gives_another_split() -> None:
    rows = [{"patient": f"p{k}"} for k in range(20)]
    different = {str(assign_splits(rows, RandomSplit(seed=seed, held_out=5, test=5))) for seed in range(10)}
    assert len(different) == 10


def test_a_seed_gives_the_same_split_for_ever() -> None:
    rows = [{"patient": f"p{k}"} for k in range(8)]
    splits = assign_splits(rows, RandomSplit(seed=0, held_out=2, test=3))
    assert splits == {"train": ["p3", "p6", "p7"], "held-out": ["p1", "p4"], "test": ["p0", "p2", "p5"]}


@given(patients=patients, seed=st.integers(0, 10**6))
def test_a_column_may_leave_patients_to_the_seed_which_halves_them(patients: list[str], seed: int) -> None:
    rows = [{"patient": patient, "group": UNDECIDED} for patient in patients]
    fixed = {"A-train": "train", "A-held": "held-out", "A-test": "test"}
    rows += [{"patient": patient, "group": group} for patient, group in fixed.items()]
    random_split = RandomSplit(seed=seed, column="group")
    splits = assign_splits(rows, random_split)
    assert {p: name for name, names in splits.items() for p in names if p in fixed} == fixed
    assert [len(names) - 1 for names in splits.values()] == [0, len(patients) // 2, (len(patients) + 1) // 2]
    assert sorted(p for names in splits.values() for p in names) == sorted([*patients, *fixed])
    assert assign_splits(rows[::-1], random_split) == splits


def test_a_column_that_decides_everything_leaves_nothing_to_the_seed() -> None:
    rows = [{"patient": p, "group": g} for p, g in (("a", "train"), ("b", "held-out"), ("c", "test"))]
    expected = {"train": ["a"], "held-out": ["b"], "test": ["c"]}
    for seed in range(5):
        assert assign_splits(rows, RandomSplit(seed=seed, column="group")) == expected
    with pytest.raises(ValueError, match=r"patient a has split ''; .* held-out-or-test in the .* `groups`"):
        assign_splits(rows, RandomSplit(seed=0, column="groups"))


def test_the_breast_mri_split_is_the_authors_training_set_and_two_halves_of_the_rest() -> None:
    """Recorded: the split must stay the same in every version."""
    rows = read_manifest(ROOT / "workflow/manifests/duke-breast-mri.tsv")
    splits = assign_splits(rows, RandomSplit(seed=0, column="paper_split"))
    assert [len(names) for names in splits.values()] == [70, 15, 15]
    assert splits["train"] == [row["patient"] for row in rows if row["paper_split"] == "train"]
    numbers = [name.removeprefix("Breast_MRI_") for name in splits["test"]]
    assert " ".join(numbers) == ("031 170 279 320 329 338 363 369 426 435 616 636 640 802 805")


@pytest.mark.parametrize(("held_out", "test"), [(1, 2), (2, 1), (5, 5)])
def test_counts_that_leave_no_patient_to_train(held_out: int, test: int) -> None:
    rows = [{"patient": patient} for patient in "abc"]
    with pytest.raises(
        ValueError, match=f"3 patients cannot give {held_out} held-out and {test} test .*lower"
    ):
        assign_splits(rows, RandomSplit(seed=0, held_out=held_out, test=test))


# Halves of the test set


def slices(**counts: int) -> tuple[list[str], list[str]]:
    names = [f"{patient}_slice_{k}" for patient, count in counts.items() for k in range(count)]
    return names, [name.rsplit("_slice_", 1)[0] for name in names]


@given(patients=patients, seed=st.integers(0, 1000), count=st.integers(1, 20))
def test_halves_divide_the_patients(patients: list[str], seed: int, count: int) -> None:
    halves = halve_test(patients, seed)
    assert halves == halve_test(patients[::-1], seed)
    sizes = [list(halves.values()).count(half) for half in ("validation", "test")]
    assert sizes == [len(patients) // 2, (len(patients) + 1) // 2]
    names, owners = slices(**dict.fromkeys(patients, count))
    validation, test = (in_half(names, owners, halves, half) for half in ("validation", "test"))
    assert [a != b for a, b in zip(validation, test, strict=True)] == [True] * len(names)
    chosen = {owner for owner, is_in in zip(owners, validation, strict=True) if is_in}
    assert chosen == {patient for patient, half in halves.items() if half == "validation"}


def test_the_seed_decides_who_validates() -> None:
    assert len({str(sorted(halve_test("abcdef", seed).items())) for seed in range(20)}) > 5


@given(count=st.integers(BLOCK + GAP + 1, 100))
def test_one_patient_is_halved_by_alternate_blocks_with_a_gap(count: int) -> None:
    halves = halve_test(["p_slice_9"], 0)  # a name that looks like a mask id
    names, owners = slices(p_slice_9=count)
    validation, test = (in_half(names, owners, halves, half) for half in ("validation", "test"))
    assert validation == [k // 4 % 4 == 0 for k in range(count)]
    assert test == [k // 4 % 4 == 2 for k in range(count)]
    assert any(test)
    numbers = {name: [k for k in range(count) if half_of_slice(k) == name] for name in ("validation", "test")}
    assert min(abs(a - b) for a in numbers["validation"] for b in numbers["test"]) > GAP


def test_the_demo_s_ct_has_four_blocks_in_each_half() -> None:
    halves = [half_of_slice(number) for number in range(61)]
    assert (halves.count("validation"), halves.count("test")) == (16, 16)


@pytest.mark.parametrize("half", ["validation", "test"])
@pytest.mark.parametrize("count", [1, BLOCK + GAP])
def test_one_patient_with_too_few_slices(count: int, half: str) -> None:
    names, owners = slices(p=count)
    with pytest.raises(
        ValueError, match=f"the only test patient has {count} slices, too few .* keep at least 9"
    ):
        in_half(names, owners, halve_test(["p"], 0), half)


# A sample to look at


@given(st.lists(st.integers(1, 300), min_size=3, max_size=3), st.integers(3, 130))
def test_a_sample_keeps_to_its_size_and_spreads_over_every_split(counts: list[int], most: int) -> None:
    splits = {name: [f"{name}{i:03}" for i in range(n)] for name, n in zip(SPLITS, counts, strict=True)}
    sample = sample_patients(splits, most)
    assert sum(map(len, sample.values())) <= most or sample == splits
    for name, patients in splits.items():
        chosen = [patients.index(patient) for patient in sample[name]]
        assert chosen[0] == 0
        gaps = [b - a for a, b in zip(chosen, [*chosen[1:], len(patients)], strict=True)]
        assert min(gaps) >= 1
        assert max(gaps) - min(gaps) <= 1


def test_a_small_dataset_is_shown_whole() -> None:
    splits = {"train": ["a", "b"], "held-out": ["c"], "test": ["d"]}
    assert sample_patients(splits, 4) == splits
    large = {"train": [str(i) for i in range(7000)], "held-out": ["x"] * 1500, "test": ["y"] * 1500}
    assert {name: len(some) for name, some in sample_patients(large, 120).items()} == {
        "train": 82,
        "held-out": 18,
        "test": 18,
    }
