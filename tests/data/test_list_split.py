"""The lists of slice files that scripts read in place of thousands of arguments."""

import subprocess
import sys
from pathlib import Path

from segguided.cli import slices_parser
from segguided.config.datasets import RandomSplit
from segguided.data.splits import assign_splits, patients_digest

SCRIPT = Path(__file__).parents[2] / "scripts" / "list_split.py"
TABLE = "patient\tsplit\nb\ttest\na\ttest\nc\ttrain\nd\theld-out\n"


def call(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "patients.tsv").write_text(TABLE)
    command = [sys.executable, str(SCRIPT), "--manifest", str(folder / "patients.tsv"), *arguments]
    command += ["--folder", "results/slices/d", "--output", str(folder / "list.txt")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_lines_of_a_list_become_arguments(tmp_path: Path) -> None:
    done = call(tmp_path, "--split", "test", "--digest", patients_digest(["a", "b"]))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "list.txt").read_text() == "results/slices/d/a.npz\nresults/slices/d/b.npz\n"
    parser = slices_parser(None)
    parser.add_argument("--slices", type=Path, nargs="+")
    paths = parser.parse_args(["--slices", f"@{tmp_path}/list.txt", "c.npz"]).slices
    assert paths == [Path("results/slices/d/a.npz"), Path("results/slices/d/b.npz"), Path("c.npz")]


def test_a_random_split(tmp_path: Path) -> None:
    settings = RandomSplit(seed=0, held_out=1, test=1)
    splits = assign_splits([{"patient": patient} for patient in "abcd"], settings)
    for split, patients in splits.items():
        digest = patients_digest(patients)
        done = call(tmp_path, "--split", split, "--random-split", settings.to_json(), "--digest", digest)
        assert done.returncode == 0
        listed = (tmp_path / "list.txt").read_text().splitlines()
        assert listed == [f"results/slices/d/{patient}.npz" for patient in patients]


def test_a_patient_table_that_changed_since_the_start_is_refused(tmp_path: Path) -> None:
    done = call(tmp_path, "--split", "test", "--digest", patients_digest(["a"]))
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {tmp_path}/list.txt: the patient table changed while the workflow ran; "
        "run the same command again\n",
    )
    assert not (tmp_path / "list.txt").exists()


def test_the_digest_changes_with_the_patients_and_their_order() -> None:
    assert len({patients_digest(patients) for patients in (["a", "b"], ["b", "a"], ["ab"], ["a"])}) == 4
