"""What images of rare cases add, measured."""

from segguided.config.evaluation import Evaluation
from segguided.evaluation.rare import rare_case_rows
from support.readers import Reader, example_set


def test_gain_of_the_rare_class_is_measured_on_the_test_half():
    """What measure_rare writes."""
    arguments = (("a", "b"), "b", Evaluation(bootstrap_resamples=100))
    rows = {row["class"]: row for row in rare_case_rows(example_set(), Reader(blind=2), Reader(), *arguments)}
    assert rows["b"]["difference"] == rows["b"]["difference_low"] == rows["b"]["dice_real_and_generated"] == 1
    assert [name for name, row in rows.items() if row["rare"]] == ["b"]
    assert (rows["macro"]["patients"], rows["macro"]["slices"]) == (2, 12)
    assert rows["a"]["difference"] == 0
