"""Configuration files and patient tables as the workflow reads them: one sentence, and nothing is planned."""

from pathlib import Path

import pytest
import yaml

from support.miniature import MINIATURE, ROOT, copy_repository, snakemake


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("fresh"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "grid:\n  seeds: [0]\n  seeds: [1]\n",
            "mine.yaml, line 3: this section already has the key seeds",
        ),
        ("checkpoint_seconds: 010\n", "mine.yaml, line 1: 010 begins with 0, which means octal in YAML"),
    ],
)
def test_traps_of_yaml_in_files_of_the_command_line(fresh: Path, text: str, sentence: str) -> None:
    (fresh / "mine.yaml").write_text(text)
    result = snakemake(fresh, "-n", "all", "--configfile", MINIATURE, "mine.yaml")
    assert result.returncode == 1
    assert sentence in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        ("grid: {\n", "config.yaml, line {next}, column 1: no valid YAML"),
        ("sampling: {}\n", "config.yaml, line {last}: this section already has the key sampling"),
    ],
)
def test_config_yaml_itself(fresh: Path, added: str, sentence: str) -> None:
    shipped = (ROOT / "config.yaml").read_text()
    last = len(shipped.splitlines()) + 1
    (fresh / "config.yaml").write_text(shipped + added)
    result = snakemake(fresh, "-n", "all")
    (fresh / "config.yaml").write_text(shipped)
    assert result.returncode == 1
    assert sentence.format(last=last, next=last + 1) in result.stdout + result.stderr


HEAD = "patient\tsplit\tscan\n"
ROWS = "".join(f"p{k}\t{split}\t{k}.nii\n" for k, split in enumerate(("train", "held-out", "test")))


@pytest.mark.parametrize(
    ("table", "split", "sentence"),
    [
        (HEAD + 'p9\ttrain\t"x\n' + ROWS, None, "t.tsv, line 2: a cell begins with a quote"),
        (
            HEAD + ROWS + "p9\ttrain\t../../x.nii\n",
            None,
            "t.tsv, line 5: the column scan with '../../x.nii' leads",
        ),
        (
            HEAD + ROWS + "p9\tvalid\t9.nii\n",
            None,
            "t.tsv, line 5: patient p9 has split 'valid'; write one of train",
        ),
        (
            HEAD + ROWS,
            {"seed": 0, "held_out": 1, "test": 1},
            "write `column: null` there so that the counts decide",
        ),
        (
            HEAD + ROWS,
            {"seed": 0, "held_out": 2, "test": 1, "column": None},
            "t.tsv: 3 patients cannot give 2",
        ),
    ],
)
def test_patient_tables(fresh: Path, table: str, split: dict[str, int] | None, sentence: str) -> None:
    (fresh / "t.tsv").write_text(table)
    dataset = {
        "source": {"kind": "nifti", "folder": "raw", "image": "{scan}", "mask": "{patient}.nii"},
        "manifest": "t.tsv",
        "split": split,
        "classes": [{"name": "a", "label": 1}],
        "intensity": {"kind": "as-is"},
        "image_size": 32,
    }
    grid = {"datasets": ["mine"], "models": ["unconditional"], "seeds": [0]}
    (fresh / "mine.yaml").write_text(yaml.safe_dump({"grid": grid, "datasets": {"mine": dataset}}))
    result = snakemake(fresh, "-n", "all", "--configfile", MINIATURE, "mine.yaml")
    assert result.returncode == 1
    assert sentence in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
