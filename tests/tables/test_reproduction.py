"""The paper's claims beside a run's numbers, and the page of the docs that is filled from them."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from segguided.evaluation.csv_files import read_csv, to_csv
from segguided.files import write_table
from segguided.tables.claim_numbers import (
    ABSENT,
    ClaimNumber,
    RunFiles,
    claim_numbers,
    read_numbers,
    to_frame,
)
from segguided.tables.claim_page import claims_page, fill, numbers_table
from segguided.tables.claims import Claim, read_claims
from segguided.tables.inputs import TableSettings, read_paper_values
from support.reproduction_page import DOCS, PAGE, ROOT, SIZES, claims, filled, measured
from support.table_records import PAPER, SETTINGS, records

RECORDS = records()
PARTIAL = pd.DataFrame(
    [
        ("m", "all", "breast", "constrained", 1.0, 0.2, 1.0),
        ("m", "all", "BV", "constrained", 1.0, 0.1, 1.0),
        ("m", "all", "macro", "constrained", 1.0, 0.15, 1.0),
        ("m", "BV", "breast", "free", 0.7, 0.4, 0.9),
        ("m", "BV", "BV", "constrained", 0.9, 0.1, 1.0),
        ("m", "BV", "macro", "constrained", 0.9, 0.1, 1.0),
    ],
    columns=["model", "kept", "class", "role", "ratio_to_full", "variation", "area"],
)
FILES = RunFiles(
    records=RECORDS,
    slices={"phantom": {"train": 96, "test": 24}, "ct": {"train": 7}},
    partial={"phantom": PARTIAL},
    similarity={"phantom": pd.DataFrame({"lambda": [0.0, 0.5, 1.0], "ssim": [0.2, 0.3, 0.6]})},
)


def of(*numbers: dict[str, object], settings: TableSettings = SETTINGS) -> list[ClaimNumber]:
    """What a claim with these numbers reads of the records with known values."""
    claim = Claim.model_validate({"name": "a", "where": "1", "says": "b", "numbers": numbers})
    return claim_numbers([claim], FILES, settings, read_paper_values(PAPER))


def table(number: int, measure: str, *models: str, **more: object) -> dict[str, object]:
    return {"kind": "table", "table": number, "measures": [measure], "models": models, **more}


def difference(number: int, measure: str, model: str, *others: str) -> dict[str, object]:
    return {"kind": "difference", "table": number, "measures": [measure], "model": model, "others": others}


def test_a_value_is_beside_the_papers_with_the_interval_of_the_mean() -> None:
    (number,) = of(table(1, "dice_mask", "spade"))
    assert (number.dataset, number.what, number.paper) == ("phantom", "Dice(m_gen, m): SPADE", "0.8473")
    assert number.value == pytest.approx(0.7) == number.mean
    assert number.low < number.mean < number.high
    assert math.isnan(number.minus_paper), "these are other data"


def test_the_difference_to_the_paper_is_given_for_its_own_data() -> None:
    first = SETTINGS.datasets[0].model_copy(update={"is_papers_data": True})
    own = SETTINGS.model_copy(update={"datasets": (first, SETTINGS.datasets[1])})
    (number,) = of(table(1, "dice_mask", "spade"), settings=own)
    assert number.minus_paper == pytest.approx(0.7 - 0.8473)
    page = claims_page([claim_of("a")], [number], own, {"phantom": 32, "ct": 64}, [0], "my results")
    assert "| minus paper |" in page
    assert "| −0.147 |" in page
    assert "phantom: 32×32 pixels, the paper's breast-mri." in page
    assert "ct: 64×64 pixels, compared with no dataset of the paper." in page


def test_a_model_that_the_grid_lacks_is_in_the_csv_alone() -> None:
    numbers = of(
        table(1, "dice_mask", "controlnet", "spade"), difference(1, "dice_mask", "spade", "controlnet")
    )
    assert [number.remark for number in numbers] == [ABSENT, "", ABSENT]
    assert numbers_table([claim_of("a")], numbers).count("Dice") == 1


@pytest.mark.parametrize(("above", "expected"), [(0.69, "above 0.69"), (0.7, "not above 0.7")])
def test_a_bound_of_the_paper_is_judged(above: float, expected: str) -> None:
    assert of(table(2, "dice", "spade", above=above))[0].remark == expected


def test_models_are_compared_in_the_claims_own_order() -> None:
    """The comparisons have each pair once."""
    (forward,) = of(difference(1, "dice_mask", "segguided", "spade"))
    (backward,) = of(difference(1, "dice_mask", "spade", "segguided"))
    assert forward.value == pytest.approx(0.1) == -backward.value
    assert (forward.low, forward.high) == (-backward.high, -backward.low)
    assert (forward.paper, backward.paper) == ("+0.0554", "−0.0554")
    assert forward.remark == backward.remark != ""


def test_the_real_images_are_the_ceiling() -> None:
    (number,) = of(difference(2, "dice", "segguided", "real"))
    assert number.value == pytest.approx(0.8 - 0.9)
    assert number.paper == f"−{0.8376 - 0.7934:.4f}"


def test_what_the_paper_states_in_words_stays_as_printed() -> None:
    counted = of({"kind": "slices", "split": "train", "paper": {"breast-mri": "about 12,000"}})
    assert [(number.dataset, number.paper, number.value) for number in counted] == [
        ("phantom", "about 12,000", 96)
    ]
    (frechet,) = of(table(3, "frechet_segmenter", "spade", paper={"breast-mri": "about 0.5"}))
    assert frechet.paper == "about 0.5"


def test_partial_masks_give_what_is_kept_and_what_varies() -> None:
    kept, free = of({"kind": "partial"})
    assert (kept.value, kept.dataset) == (0.9, "phantom")
    assert kept.what.startswith("m, BV kept: Dice of the kept")
    assert free.what == "m, BV kept: variation of the free breast (1 − Dice of two images)"
    assert (free.value, free.remark) == (0.4, "0.20 with the full mask; 0.90 of the true area")


def test_an_area_that_is_undefined_is_no_number(tmp_path: Path) -> None:
    """As measure_partial writes it where no mask shows the class."""
    path = tmp_path / "phantom.csv"
    write_table(path, PARTIAL.assign(area=math.nan, variation=math.nan).to_dict("records"))
    files = replace(FILES, partial={"phantom": read_csv(path)})
    claim = claim_of("a", numbers=[{"kind": "partial"}])
    kept, free = claim_numbers([claim], files, SETTINGS, read_paper_values(PAPER))
    assert kept.value == 0.9
    assert math.isnan(free.value)
    assert free.remark == "nan with the full mask; nan of the true area"


def test_similarity_is_read_at_both_ends() -> None:
    numbers = of({"kind": "similarity", "column": "ssim"}, {"kind": "similarity", "column": "dice_macro"})
    assert [(number.what[-5:], number.value) for number in numbers] == [("λ = 0", 0.2), ("λ = 1", 0.6)]


def test_the_csv_gives_back_its_numbers(tmp_path: Path) -> None:
    numbers = of(
        table(1, "dice_mask", "spade", "controlnet"), difference(1, "dice_mask", "spade", "segguided")
    )
    path = tmp_path / "numbers.csv"
    path.write_text(to_csv(to_frame(numbers), decimals=None))
    assert str(read_numbers(path)) == str(numbers), "as texts, for NaN is not equal to itself"
    path.write_text(path.read_text().replace(",0.7", ",x"))
    with pytest.raises(ValueError, match=r"numbers\.csv, line 2: expected a number, got 'x.*'; correct it"):
        read_numbers(path)


def claim_of(name: str, **more: object) -> Claim:
    return Claim.model_validate({"name": name, "where": "1", "says": "b", **more})


def test_a_page_names_the_runs_own_folder_and_says_what_nothing_tries() -> None:
    listed = [
        claim_of("a", targets=["results/table1.csv", "results/demo/table1.csv"]),
        claim_of("b", tests=["tests/test_house.py"]),
        claim_of("c"),
    ]
    page = claims_page(listed, [], SETTINGS, {"phantom": 32, "ct": 32}, [0, 1], r"own\1 folder")
    assert r"`own\1 folder/table1.csv`, `results/demo/table1.csv`" in page
    assert "| 3 | 1 | b | **no target** |" in page
    assert "1 have none" in page
    assert "No number: no dataset has a `paper_column`" in page
    assert "- Seeds: 0, 1." in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- {name: a, where: b}", r"expected a list of claims \(0\.says: Field required\)"),
        ("a: b", "expected a list of claims"),
        ("[", "is no YAML"),
        ("- {name: a, where: b, says: c}\n- {name: a, where: b, says: c}", "a names two claims"),
    ],
)
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=expected) as error:
        read_claims(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_page_without_a_block_is_not_filled() -> None:
    with pytest.raises(ValueError, match=r"expected the blocks a, b, got a"):
        fill("<!-- begin a -->\n<!-- end a -->", {"a": "1", "b": "2"})


# The page of the docs.


def test_the_page_is_what_its_claims_and_measurements_give() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page, "fill it again: tests/support/reproduction_page.py"


def test_every_value_of_the_papers_tables_is_on_the_page_as_printed() -> None:
    """And none that is not of its table, dataset and measure."""
    lines = [line.split("\t") for line in PAPER.read_text().splitlines()[1:]]
    numbers = [number for size in SIZES for number in measured(size)]
    columns = {"ct-torso": "ct-organ", "breast-phantom": "breast-mri"}
    labels = {
        "Dice(m_gen, m)": "dice_mask",
        "Dice(m_gen, m_real)": "dice_real",
        "Dice on real images": "dice",
    }
    models = {"Ours (STD)": "segguided", "Ours (MAT)": "segguided-mat", "real images": "real"}
    shown = set()
    for number in numbers:
        label, _, title = number.what.partition(": ")
        if label in labels and "−" not in title:
            model = models.get(title, title.lower())
            shown.add((columns[number.dataset], model, labels[label], number.paper))
    assert shown == {tuple(line[1:]) for line in lines}
    assert all(f"| {value} |" in PAGE.read_text() for *_, value in lines)


def rounded(numbers: Iterable[ClaimNumber]) -> set[str]:
    values = [value for n in numbers for value in (n.value, n.mean, n.low, n.high)]
    return {f"{abs(value):.{decimals}f}" for value in values for decimals in (2, 3)}


NUMBER = re.compile(r"\d+(?:,\d{3})+|\d+\.\d+")


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.name)
def test_what_came_out_is_measured_or_stands_on_a_linked_page(claim: Claim) -> None:
    texts = [(DOCS / name).read_text() for name in {*re.findall(r"\((\w[\w-]*\.md)", claim.here), "demo.md"}]
    texts += [(DOCS / "cost.md").read_text()] if "slices" in claim.here else []
    texts += [(ROOT / test).read_text().replace("_", ",") for test in claim.tests if test.endswith(".py")]
    numbers = [number for size in SIZES for number in measured(size)]
    texts += [number.remark for number in numbers]
    known = {number for text in texts for number in NUMBER.findall(text)} | rounded(numbers)
    assert set(NUMBER.findall(re.sub(r"\(\S+\.md\S*\)", "", claim.here))) <= known, "measured nowhere"


def test_the_values_at_64_stand_in_the_page_of_the_demo() -> None:
    """Each in the line of its model, dataset by dataset."""
    lines = (DOCS / "demo.md").read_text().partition("## All systems at 64×64")[2].splitlines()
    for number in measured(64):
        if not math.isnan(number.value):
            shown = f"{number.value:.3f}"
            title = number.what.partition(": ")[2].replace("real images", "real images (ceiling)")
            beginning = "| Dice" if number.remark else f"| {title} |"
            found = [line for line in lines if line.startswith(beginning) and shown in line]
            assert found, (number.what, number.dataset, shown)
            if not math.isnan(number.mean):
                assert f"{number.mean:.3f} [{number.low:.2f}, {number.high:.2f}]" in " ".join(found)


def test_nothing_of_the_demo_is_shown_as_a_difference_to_the_paper() -> None:
    assert all(math.isnan(number.minus_paper) for size in SIZES for number in measured(size))
    assert "minus paper" not in PAGE.read_text()
    with_one = replace(measured(128)[0], minus_paper=0.1)
    assert "minus paper" in numbers_table(claims(), [with_one]), "the column appears where there is one"


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.name)
def test_a_claim_names_files_and_columns_that_exist(claim: Claim) -> None:
    assert not [path for path in claim.tests if not (ROOT / path).exists()]
    assert claim.tried or not claim.numbers
