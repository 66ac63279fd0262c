"""The split shows each class in each part if one can, and has enough slices for all tables."""

from collections import Counter

import pytest

from segguided.app.start.candidates import Candidate
from segguided.app.start.reading import Patient
from segguided.app.start.splitting import choose_split, kept_numbers


def patient(name, labels=(1,), numbers=range(20), split="", numbered=False):
    candidate = Candidate(name, split, {}, lambda: None)
    counts = Counter(dict.fromkeys(labels, 100))
    shape = (len(numbers), 8, 8)
    return Patient(
        candidate,
        shape,
        (1, 1, 1),
        "LPS",
        False,
        "",
        counts,
        tuple(numbers),
        numbered,
        len(numbers),
        0,
        1,
        name,
    )


def parts(split):
    return Counter(split.of_patient.values())


@pytest.mark.parametrize(
    ("patients", "expected"),
    [(3, (1, 1, 1)), (4, (1, 1, 2)), (5, (2, 1, 2)), (10, (6, 2, 2)), (40, (24, 8, 8))],
)
def test_a_fifth_is_held_out_and_a_fifth_tests(patients, expected):
    counts = parts(choose_split([patient(f"p{k}") for k in range(patients)]))
    assert (counts["train"], counts["held-out"], counts["test"]) == expected


def test_a_class_of_three_patients_is_in_all_parts():
    patients = [patient(f"p{k}", (1, 2) if k in (3, 11, 17) else (1,)) for k in range(20)]
    split = choose_split(patients)
    assert {split.of_patient[f"p{k}"] for k in (3, 11, 17)} == {"train", "held-out", "test"}
    assert split.remarks == ()


def test_what_a_part_lacks_is_said():
    split = choose_split([patient(f"p{k}", (1, 2) if k < 2 else (1,)) for k in range(6)])
    (remark,) = split.remarks
    assert "patient has label 2, because too few patients have it" in remark


def test_the_only_test_patient_has_slices_for_two_halves():
    short = [patient("a", numbers=range(5)), patient("b", numbers=range(5)), patient("c", numbers=range(30))]
    assert choose_split(short).of_patient["c"] == "test"
    with pytest.raises(ValueError, match=r"the most that a patient here has is 5.*add a fourth patient"):
        choose_split([patient(name, numbers=range(5)) for name in "abc"])


def test_single_slices_fill_the_test_part():
    counts = parts(choose_split([patient(f"p{k}", numbers=[0]) for k in range(9)]))
    assert counts["test"] >= 5 and counts["held-out"] >= 2 and counts["train"] >= 1
    with pytest.raises(ValueError, match="expected 2 held-out and 5 test slices"):
        choose_split([patient(f"p{k}", numbers=[0]) for k in range(7)])


def test_the_split_of_the_folders_counts():
    names = ["train", "train", "held-out", "test", "test"]
    split = choose_split([patient(f"p{k}", split=name) for k, name in enumerate(names)])
    assert list(split.of_patient.values()) == names


def test_a_folder_that_names_two_splits_alone_decides_nothing():
    patients = [patient(f"p{k}", split="train" if k < 4 else "held-out") for k in range(6)]
    assert parts(choose_split(patients))["test"] == 2


def test_many_slices_are_thinned_out_for_a_first_run():
    split = choose_split([patient(f"p{k}", numbers=range(300)) for k in range(10)])
    assert split.every == 4
    assert kept_numbers(patient("x", numbers=range(10)), 4) == [0, 1, 2]
    assert kept_numbers(patient("x", numbers=[2, 5, 7, 9, 12], numbered=True), 2) == [2, 7, 12]
