"""The choice of CT-ORG's patients is a function of the table, the seed and the counts."""

from pathlib import Path

import pytest

from choose_ct_org import choose_ct_org
from list_ct_org import list_ct_org
from segguided.config.workflow import load
from segguided.data.datasets.ct_org_choice import INHERITED_HEADERS, VERIFIED, choose_patients, eligible_cases
from segguided.data.splits import read_manifest
from support import fixtures_ct_org as fc

ROOT = Path(__file__).parents[3]
COUNTS = {"train": 24, "held-out": 8, "test": 8}


def prose(table: Path) -> str:
    """The comments, unwrapped."""
    return table.read_text().replace("\n# ", " ")


def splits(rows: list[dict[str, str]]) -> dict[str, int]:
    return {name: [row["split"] for row in rows].count(name) for name in COUNTS}


def test_the_shipped_table_is_that_of_choose_ct_org(tmp_path: Path) -> None:
    choose_ct_org(tmp_path / "again.tsv", always=(0, 2))
    shipped = ROOT / "workflow/manifests/ct-org.tsv"
    assert (tmp_path / "again.tsv").read_text() == shipped.read_text()
    rows = read_manifest(shipped)
    assert splits(rows) == COUNTS
    cases = [int(row["case"]) for row in rows]
    assert cases == sorted(set(cases)) and set(cases) <= set(range(140)) - set(INHERITED_HEADERS)
    pins = {int(row["case"]): (row["sha256_volume"], row["sha256_labels"]) for row in rows}
    assert {case: pair for case, pair in pins.items() if any(pair)} == VERIFIED
    assert "NOT checked" in shipped.read_text()


def test_a_seed_fixes_choice_and_splits() -> None:
    first, again, other = (choose_patients(range(140), seed, COUNTS, ()) for seed in (1, 1, 2))
    assert first == again != other
    assert splits([dict(row) for row in other]) == COUNTS
    shuffled = choose_patients(reversed(range(140)), 1, COUNTS, ())
    assert shuffled == first


def test_too_few_cases_and_fixed_cases_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match=r"at least 40 eligible cases .* got 39; ask for fewer"):
        choose_patients(range(39), 0, COUNTS, ())
    with pytest.raises(ValueError, match=r"with \[2, 141\] among them, got 140 without \[141\]"):
        choose_patients(range(140), 0, COUNTS, (2, 141))


def test_from_a_folder_to_the_patients_that_hold_the_organs(tmp_path: Path) -> None:
    """A mirrored case is left out, and one without bladder where the bladder is asked for."""
    for case in range(6):
        code, header = ("LPS", {"identity": True}) if case == 1 else ("RAS", {})
        whole = fc.labels(2) if case == 4 else fc.labels(6)
        fc.write_case(tmp_path / "CT-ORG" / "OrganSegmentations", case, code, whole, **header)
    (tmp_path / "labels-old.nii.gz").touch()
    list_ct_org(tmp_path, tmp_path / "cases.tsv")
    organs = ("liver", "bladder", "lungs", "kidneys", "bone")
    assert eligible_cases(tmp_path / "cases.tsv", organs, 20) == [0, 2, 3, 5]
    assert eligible_cases(tmp_path / "cases.tsv", ("liver", "bone"), 20) == [0, 2, 3, 4, 5]
    assert eligible_cases(tmp_path / "cases.tsv", organs, 10_000) == []
    table = tmp_path / "chosen.tsv"
    choose_ct_org(table, tmp_path / "cases.tsv", counts=(2, 1, 1), least_voxels=20)
    rows = read_manifest(table)
    assert [row["case"] for row in rows] == ["0", "2", "3", "5"]
    assert splits(rows) == {"train": 2, "held-out": 1, "test": 1}
    assert "among the 4 cases that hold 20 voxels or more of liver, bladder" in prose(table)


def test_unfit_tables_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no labels-N\.nii\.gz there or below"):
        list_ct_org(tmp_path, tmp_path / "cases.tsv")
    table = tmp_path / "t.tsv"
    table.write_text("case\tliver\n1\t5\n")
    with pytest.raises(ValueError, match=r"t\.tsv: no column anatomy, or no rows; write it with"):
        eligible_cases(table, ["liver"], 1)
    table.write_text("case\tanatomy\tliver\n1\tconfirmed\tmany\n")
    with pytest.raises(ValueError, match="expected whole numbers of voxels"):
        eligible_cases(table, ["liver"], 1)


def test_the_dataset_of_the_configuration_fits_its_table() -> None:
    import yaml

    dataset = load(yaml.safe_load((ROOT / "config.yaml").read_text())).datasets["ct-organ"]
    rows = read_manifest(ROOT / dataset.manifest)
    dataset.source.check_columns(list(rows[0]), dataset.manifest)
    assert dataset.class_names == ("liver", "bladder", "lungs", "kidneys", "bone")
    assert [class_.label for class_ in dataset.classes] == [1, 2, 3, 4, 5]
