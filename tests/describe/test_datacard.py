"""The data card says what slice files, splits.csv and the patient table hold, by hand-made numbers."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.data.slices import Stack, write_stack
from segguided.data.split_rows import split_rows
from segguided.describe.datacard import Card
from segguided.describe.facts import read_facts, read_splits
from segguided.files import write_table
from write_datacard import write_datacard

SCRIPT = Path(__file__).parents[2] / "scripts" / "write_datacard.py"
SPLITS = {"train": ["p1", "p2"], "held-out": ["p3"], "test": ["p4"]}
PREPARATION = {
    "source": {"kind": "nifti", "folder": "ct"},
    "classes": [{"name": "body", "label": 1}, {"name": "bone", "label": 2}],
    "intensity": {"kind": "window", "low": -1000, "high": 600},
    "image_size": 16,
}
SCANNER = {"modality": "MR", "manufacturer": "SIEMENS", "model": "Avanto | Fit\n"}
TABLE = """# Made up for this test.
# Licence: see each row.
patient\tlicence\tnote
p1\tCC0\t
p2\tCC0\tmask error reported
p3\tMIT\t
p4\t\t
"""


def card(**changes: Any) -> Card:
    values = {"name": "a-set", "about": {}, "preparation": PREPARATION, "split": None, "halves_seed": 7}
    return Card.model_validate(values | changes)


def stack(patient: str, count: int, spacing: tuple[float, float, float], **changes: Any) -> Stack:
    """Body on every slice (8 pixels), bone on the first (1 pixel)."""
    masks = np.zeros((count, 16, 16), np.uint8)
    masks[:, 0, :8], masks[0, 5, 5] = 1, 2
    provenance = {
        "image": {"format": "nifti"},
        "spacing_zyx_mm": list(spacing),
        "shape_zyx": [count + 2, 20, 40],
        "raw_value_of_0": -1000,
        "raw_value_of_255": 600,
        "intensity": {"kind": "window", "low": -1000, "high": 600},
        "image_size": 16,
        "resampling": "image: triangle filter",
        "slices": {"every": 1, "min_foreground": 0.0},
        **changes,
    }
    return Stack(patient, masks, masks, np.arange(float(count)), provenance)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Slices of four patients, splits.csv and the patient table."""
    stacks = [
        stack("p1", 2, (5, 0.5, 0.5), image=SCANNER),
        stack("p2", 4, (1, 0.8, 0.8), image=SCANNER),
        stack("p3", 3, (2, 1, 0.4), image={"suspicious_header": True}),
        stack("p4", 1, (3, 0.5, 0.5), image_size=32),
    ]
    files = {prepared.patient: tmp_path / f"slices/{prepared.patient}.npz" for prepared in stacks}
    for prepared in stacks:
        write_stack(files[prepared.patient], prepared)
    splits = {split: [files[patient] for patient in patients] for split, patients in SPLITS.items()}
    write_table(
        tmp_path / "splits.csv", split_rows(splits, halves_seed=0, classes=["body", "bone"])
    )  # p4 alone: by slice
    (tmp_path / "table.tsv").write_text(TABLE)
    return tmp_path


def page(folder: Path, **changes: Any) -> str:
    files = {name: folder / name for name in ("splits.csv", "slices", "table.tsv", "card.md", "sums.sha256")}
    write_datacard(card(**changes), *files.values())
    return (folder / "card.md").read_text()


def cells(text: str, first: str) -> list[str]:
    """The cells of the table row that begins with `first`."""
    found = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    [row] = [row[1:] for row in found if row[0] == first]
    return row


def test_patients_slices_and_classes(folder: Path) -> None:
    text = page(folder)
    assert cells(text, "train") == ["2", "6"]
    assert cells(text, "held-out") == ["1", "3"]
    assert cells(text, "all") == ["4", "10"]
    # A bone pixel a patient; on one slice of two and of four, of three, of one.
    assert cells(text, "1") == ["body", "80", "95.2 %", "4", "100.0 %", "100.0 %", "100.0 %"]
    assert cells(text, "2") == ["bone", "4", "4.8 %", "4", "33.3 %", "33.3 %", "100.0 %"]


def test_classes_have_their_titles_beside_the_names_of_tables(folder: Path) -> None:
    text = page(folder, titles={"bone": "Knochen | <all>"})
    assert "| 2     | Knochen \\| &lt;all> (`bone`) | 4 " in text
    assert "Rarest in the held-out split: Knochen \\| &lt;all> (`bone`), " in text
    assert cells(text, "1")[0] == "body"


def test_ranges(folder: Path) -> None:
    text = page(folder)
    assert cells(text, "slice spacing, mm") == ["1", "2.5", "5"]
    assert cells(text, "column spacing, mm") == ["0.4", "0.5", "0.8"]
    assert cells(text, "slices of a volume") == ["3", "4.5", "6"]
    assert cells(text, "pixel of a prepared slice, mm") == [
        "1.25",
        "1.25",
        "2",
    ]  # 20 and 32 mm over 16 pixels
    assert cells(text, "raw value that becomes 255") == ["600", "600", "600"]


def test_a_mixture_of_settings_and_of_scanners_shows(folder: Path) -> None:
    text = page(folder)
    assert "| image_size | `16`" in text
    assert "| image_size | `32`" in text
    assert cells(text, "MR") == ["SIEMENS", "Avanto / Fit", "2"]
    assert cells(text, "not stated") == ["not stated", "not stated", "2"]
    assert "whose orientation anatomy must confirm: p3." in text


def test_origin_licences_flags_and_split(folder: Path) -> None:
    text = page(folder)
    assert "> Made up for this test.\n> Licence: see each row." in text
    assert "- Licence: CC0 (2 of 4 patients); MIT (1 of 4 patients)" in text
    assert "- p2: mask error reported" in text
    assert f"by the column `split` of `{folder}/table.tsv`" in text
    about = {"licence": "CC BY 4.0", "citation": "Someone 2020", "url": "https://example.org"}
    text = page(folder, about=about, split={"seed": 3, "held_out": 1, "test": 1})
    for line in ("- Licence: CC BY 4.0", "- Citation: Someone 2020", "- Source: https://example.org"):
        assert f"{line}\n" in text
    assert '`split: {"seed": 3, "held_out": 1, "test": 1}`' in text


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "The only test patient is halved by slices, in blocks of 4 by their numbers: every other block"),
        (1, "those between measure them. Between two blocks, 4 slices are in neither half."),
        (
            2,
            "Half of the test patients select segmenters, the other half measures them; the halves are",
        ),
        (
            3,
            "1 of the 3 test patients select segmenters, the other 2 measure them; the halves are",
        ),
        (4, "Half of the test patients select segmenters"),
        (5, "2 of the 5 test patients select segmenters, the other 3 measure them"),
    ],
)
def test_the_halves_are_those_that_are_chosen(tmp_path: Path, count: int, said: str) -> None:
    patients = {"train": ["a"], "held-out": ["b"], "test": [f"p{i}" for i in range(count)]}
    text = page(written(tmp_path, patients))
    assert said in text
    assert ("drawn with seed 7" in text) == (count > 1)
    assert "Patient by patient: `splits.csv` beside this card." in text


def written(folder: Path, patients: dict[str, list[str]], **changes: Any) -> Path:
    """Slices of patients by split, splits.csv and the patient table."""
    paths = {
        split: [folder / f"slices/{patient}.npz" for patient in names] for split, names in patients.items()
    }
    for path in (path for of_split in paths.values() for path in of_split):
        write_stack(path, stack(path.stem, 20, (1, 1, 1), **changes))
    write_table(folder / "splits.csv", split_rows(paths, halves_seed=0, classes=["body", "bone"]))
    (folder / "table.tsv").write_text("patient\n" + "\n".join(path.stem for path in paths["train"]) + "\n")
    return folder


@pytest.mark.parametrize("patients", [SPLITS, {"train": ["a"], "held-out": ["b"], "test": ["c"]}])
def test_png_files_are_not_said_to_have_millimetres_or_directions(
    tmp_path: Path, patients: dict[str, list[str]]
) -> None:
    text = page(written(tmp_path, patients, image={"format": "png", "folder": "DATA/train"}))
    volumes = text.split("## Volumes and slices")[1].split("##")[0]
    assert "mm" not in volumes
    assert "PNG files state neither spacing nor direction" in volumes
    assert cells(text, "slices of a volume") == ["22", "22", "22"]
    assert cells(text, "columns") == ["40", "40", "40"]


@pytest.mark.parametrize("image", [{"format": "nifti"}, {"format": "dicom"}, {}])
def test_other_files_have_millimetres(tmp_path: Path, image: dict[str, str]) -> None:
    text = page(written(tmp_path, SPLITS, image=image))
    assert cells(text, "slice spacing, mm") == ["1", "1", "1"]
    assert "state neither spacing nor direction" not in text


def test_checksums_are_those_of_the_files_and_the_command_finds_another(folder: Path) -> None:
    text = page(folder)
    sums = (folder / "sums.sha256").read_text()
    expected = [hashlib.sha256((folder / f"slices/p{i}.npz").read_bytes()).hexdigest() for i in (1, 2, 3, 4)]
    assert sums == "".join(f"{digest}  p{i}.npz\n" for i, digest in enumerate(expected, 1))
    assert hashlib.sha256(sums.encode()).hexdigest() in text
    [check] = [line for line in text.splitlines() if line.startswith("(cd ")]
    assert subprocess.run(check, shell=True, capture_output=True).returncode == 0
    with (folder / "slices/p2.npz").open("ab") as file:
        file.write(b"x")
    assert b"p2.npz: FAILED" in subprocess.run(check, shell=True, capture_output=True).stdout


def test_the_command_it_names_takes_its_settings(folder: Path) -> None:
    [line] = [line for line in page(folder).splitlines() if "prepare_patient.py" in line]
    settings = line.split("--preparation ")[1].strip("'")
    assert type(card().preparation).from_json(settings) == card().preparation


def test_the_command_line_and_its_refusals(folder: Path) -> None:
    files = {"splits": "splits.csv", "slices": "slices", "manifest": "table.tsv"}
    arguments = [part for key, name in files.items() for part in (f"--{key}", str(folder / name))]
    outputs = ["--output", str(folder / "out/card.md"), "--checksums", str(folder / "out/sums.sha256")]
    command = [sys.executable, SCRIPT, "--card", card().to_json(), *arguments, *outputs]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "out/card.md").read_text().startswith("# a-set\n\n- Licence: ")
    lacking = stack("p3", 3, (2, 1, 1))
    del lacking.provenance["shape_zyx"]
    write_stack(folder / "slices/p3.npz", lacking)
    (folder / "out/card.md").unlink()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "p3.npz or its row of splits.csv lacks what a card needs ('shape_zyx'); prepare" in done.stderr
    assert not (folder / "out/card.md").exists()


def test_a_table_of_another_form(folder: Path) -> None:
    (folder / "splits.csv").write_text("name\nx\n")
    with pytest.raises(ValueError, match="expected a comma-separated table with the columns patient, split"):
        read_splits(folder / "splits.csv")
    (folder / "splits.csv").write_text("patient,split,pixels_body\np1,train,16\n")
    with pytest.raises(ValueError, match=r"p1\.npz or its row of splits\.csv lacks .*masks hold class 2"):
        list(read_facts(read_splits(folder / "splits.csv"), folder / "slices"))


def test_settings_are_json_both_ways() -> None:
    assert Card.from_json(card().to_json()) == card()
    assert json.loads(card().to_json())["split"] is None
