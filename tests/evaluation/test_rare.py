"""What images of rare cases add, measured; what is evidence and what is not."""

import math

import numpy as np
import pytest
import torch

from segguided.data.slices import SliceSet, Stack
from segguided.evaluation.comparisons import PairedDifference
from segguided.evaluation.intervals import Interval
from segguided.evaluation.rare import RareClass, rare_case_rows, verdict
from support.readers import Reader

NAMES = ("a", "b")
RARE = RareClass("b", np.array([0.9, 0.1]))


class Careless(Reader):
    """A reader that misses class 2 in the first `missed` rows of each image."""

    def __init__(self, missed):
        super().__init__()
        self.missed = missed

    def forward(self, x_BCHW):
        logits_BCHW = super().forward(x_BCHW)
        logits_BCHW[:, 2, : self.missed] = -1
        return logits_BCHW


def patients(count):
    rng = np.random.default_rng(0)
    stacks = []
    for number in range(count):
        masks_SHW = rng.integers(0, 3, (4, 16, 16)).astype(np.uint8)
        stacks.append(Stack(f"p{number}", masks_SHW * 100, masks_SHW, np.arange(4.0), {}))
    return SliceSet(stacks)


def rows(count, without, augmented):
    return {row["class"]: row for row in rare_case_rows(patients(count), without, augmented, NAMES, RARE)}


def test_a_gain_in_every_patient_and_training_is_found_with_its_interval():
    found = rows(8, [Careless(4), Careless(5), Careless(4)], [Reader()] * 3)
    rare = found["b"]
    assert rare["verdict"] == "higher with the generated images"
    assert 0 < rare["difference_low"] < rare["difference"] < rare["difference_high"]
    assert rare["p_value"] < 0.05
    assert (rare["patients"], rare["trainings"], rare["share_of_labels"]) == (8, 3, 0.1)
    assert rare["dice_real_and_generated"] == 1
    assert rare["difference"] == pytest.approx(1 - rare["dice_real"])
    assert len(rare["patients_differences"].split("; ")) == 8
    assert [name for name, row in found.items() if row["rare"]] == ["b"]
    assert math.isnan(found["macro"]["p_value"]), "the question is the rare class alone"
    assert "not tested" in found["macro"]["verdict"]
    worse = rows(8, [Reader()] * 3, [Careless(4), Careless(5), Careless(4)])["b"]
    assert worse["verdict"] == "lower with the generated images"
    assert worse["difference"] == -rare["difference"]


def test_the_variance_of_training_hides_a_gain_of_one_training():
    steady = rows(8, [Careless(4)] * 3, [Careless(2)] * 3)["b"]
    shaky = rows(8, [Careless(8), Careless(0), Careless(4)], [Careless(6), Careless(0), Careless(0)])["b"]
    assert shaky["difference"] == pytest.approx(steady["difference"], abs=0.02)
    assert steady["verdict"] == "higher with the generated images"
    assert shaky["verdict"] == "no difference shown"


@pytest.mark.parametrize(
    ("count", "trainings", "words"),
    [
        (1, 3, "no evidence: one test patient says nothing about others"),
        (8, 1, "no evidence: it takes 3 trainings or more, here are 1"),
        (8, 2, "no evidence: it takes 3 trainings or more, here are 2"),
        (5, 3, "no evidence: it takes 6 test patients or more, here are 5"),
    ],
)
def test_few_patients_and_few_trainings_are_no_evidence_however_large_the_gain(count, trainings, words):
    rare = rows(count, [Careless(8)] * trainings, [Reader()] * trainings)["b"]
    assert rare["difference"] > 0.3
    assert rare["verdict"] == words
    if count == 1:
        assert math.isnan(rare["difference_low"])
        assert math.isnan(rare["p_value"])
        assert rare["patients_differences"].startswith("p0 +0.")


def test_interval_and_p_value_must_agree():
    gain = PairedDifference(0.1, Interval(0.01, 0.2), 0.04)
    assert verdict(gain, 8, 3) == "higher with the generated images"
    for other in (
        PairedDifference(0.1, Interval(-0.01, 0.2), 0.04),
        PairedDifference(0.1, Interval(0.01, 0.2), 0.06),
        PairedDifference(0.1, None, 0.04),
    ):
        assert verdict(other, 8, 3) == "no difference shown"
    assert verdict(gain, 0, 3) == "no evidence: no test patient has the class"


def test_patients_without_the_class_are_in_no_number_of_it():
    half = patients(7)
    stacks = list(half.stacks)
    masks_SHW = np.where(stacks[0].masks_SHW == 2, 0, stacks[0].masks_SHW).astype(np.uint8)
    stacks[0] = Stack("p0", masks_SHW * 100, masks_SHW, np.arange(4.0), {})
    with torch.inference_mode():
        found = rare_case_rows(SliceSet(stacks), [Careless(4)] * 3, [Reader()] * 3, NAMES, RARE)
    assert [row["patients"] for row in found] == [7, 6, 7]
    assert "p0" not in found[1]["patients_differences"]
