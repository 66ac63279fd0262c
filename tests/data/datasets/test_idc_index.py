"""Each patient gets the right series before contrast, and the patient table is made of them."""

from pathlib import Path

import pytest

from list_duke_series import list_duke_series
from segguided.data.datasets.idc_index import PRE_CONTRAST, list_series, pre_contrast_series, read_index
from segguided.data.splits import read_manifest

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "workflow/manifests/duke-breast-mri.tsv"
EXCERPT = Path(__file__).parent / "idc_index_excerpt.tsv"


def series(patient: str, description: str, number: str) -> dict[str, str]:
    names = {"PatientID": patient, "SeriesDescription": description, "SeriesInstanceUID": f"1.2.{number}"}
    return {**names, "SeriesNumber": number}


def test_every_patient_of_the_excerpt_has_a_series_and_the_lowest_number_decides() -> None:
    index = read_index(EXCERPT)
    series_of = pre_contrast_series(index)
    assert series_of.keys() == {row["PatientID"] for row in index}
    assert {row["SeriesDescription"].strip() for row in series_of.values()} == PRE_CONTRAST
    numbers = {"Breast_MRI_065": "600", "Breast_MRI_120": "7", "Breast_MRI_279": "400", "Breast_MRI_596": "6"}
    assert {patient: series_of[patient]["SeriesNumber"] for patient in numbers} == numbers
    assert pre_contrast_series(reversed(index)) == series_of


def test_numbers_are_compared_as_numbers_and_names_without_outer_spaces() -> None:
    rows = [series("p", "ax dyn ", "10"), series("p", " ax dyn", "9"), series("p", "Ph2/ax dyn", "1")]
    assert pre_contrast_series(rows)["p"]["SeriesNumber"] == "9"
    assert pre_contrast_series([series("p", "AX DYN", "1")]) == {}


def test_two_first_series_are_refused() -> None:
    with pytest.raises(ValueError, match=r"patient p has two series numbered 3 .*1\.2\.3 and 1\.2\.3; drop"):
        pre_contrast_series([series("p", "ax dyn", "3"), series("p", "ax dyn pre", "3")])


def test_patients_without_such_a_series_are_named() -> None:
    with pytest.raises(ValueError, match="the index holds no series before contrast of a, c; drop them"):
        list_series([{"patient": "c"}, {"patient": "b"}, {"patient": "a"}], [series("b", "ax dyn", "1")])


def test_the_index_gives_the_patient_table_byte_for_byte(tmp_path: Path) -> None:
    """From its patients, their splits and notes; whatever series they had before."""
    shipped = TABLE.read_text()
    comments = "".join(line for line in shipped.splitlines(keepends=True) if line.startswith("#"))
    body = "".join(
        f"{row['patient']}\t\t{row['paper_split']}\t{row['note']}\n" for row in read_manifest(TABLE)
    )
    bare = tmp_path / "bare.tsv"
    bare.write_text(f"{comments}patient\tseries_uid\tpaper_split\tnote\n{body}")
    list_duke_series(bare, EXCERPT, tmp_path / "renewed.tsv")
    assert (tmp_path / "renewed.tsv").read_text() == shipped


def test_the_table_has_the_patients_of_the_paper() -> None:
    rows = read_manifest(TABLE)
    assert len(rows) == 100
    assert [row["patient"] for row in rows] == sorted(row["patient"] for row in rows)
    assert sum(row["paper_split"] == "train" for row in rows) == 70
    assert sum(int(row["instances"]) for row in rows) == 16984
    assert sum(int(row["instances"]) for row in rows if row["paper_split"] == "train") == 11996
    assert len({row["series_uid"] for row in rows}) == len({row["series_url"] for row in rows}) == 100
    assert [row["patient"] for row in rows if row["note"]] == ["Breast_MRI_246", "Breast_MRI_435"]


def test_parquet_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr("pandas.read_parquet", absent)
    with pytest.raises(OSError, match=r"idc_index\.parquet: reading parquet needs pyarrow; pip install"):
        read_index(tmp_path / "idc_index.parquet")
