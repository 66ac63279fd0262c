"""cost.md says what more patients would need, counted from the page's other numbers."""

import pytest

from support import scale
from support.cost_table import PAGE


def test_the_table_stands_as_it_is_counted() -> None:
    page = PAGE.read_text()
    assert [line for line in scale.lines() if line not in page] == []


def test_what_it_is_counted_from_is_on_the_page() -> None:
    page = PAGE.read_text()
    stated = ["11,996 train, 2,552 held out, 2,436 test", "10,886, 3,629, 3,629", "131,072 a slice"]
    stated += ["1.04 GB and 0.61 MB for each test or held-out slice", "did 66 steps a second"]
    stated += ["16.5 hours on breast MRI and 15.0 on CT-ORG", "31,900 steps", "45,300"]
    assert [words for words in stated if words not in page] == []
    assert scale.BREAST.measured == 2_552 + 2_436
    assert scale.CT_ORG.measured == 3_629 + 3_629


@pytest.mark.parametrize(("data", "hours"), [(scale.BREAST, "about 78"), (scale.CT_ORG, "about 72")])
def test_the_hours_are_those_of_the_pages_first_table(data: scale.Dataset, hours: str) -> None:
    assert f"about {data.training_hours() + data.generating_hours():.0f}" == hours
    assert f"| {hours} |" in PAGE.read_text()


def test_what_grows_with_patients_and_what_does_not() -> None:
    one, ten = scale.needs(1), scale.needs(10)
    assert ten["slices on disk, GB"] == pytest.approx(10 * one["slices on disk, GB"])
    assert ten["training, GPU hours, as many steps"] == one["training, GPU hours, as many steps"]
    assert ten["all on disk, GB"] < 10 * one["all on disk, GB"]  # the weights stay as large


def test_two_digits() -> None:
    assert [scale.digits(n) for n in (0.0951, 4.604, 46.04, 4604, 149_900)] == [
        "0.095",
        "4.6",
        "46",
        "4,600",
        "150,000",
    ]
