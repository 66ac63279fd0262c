"""Hostile configurations and patient tables stop at the parsing, in one sentence; nothing of them runs."""

from pathlib import Path

import pytest

from support.miniature import ARGUMENTS, MINIATURE, copy_repository, snakemake

ROW = "patient\tsplit\tpackage\tsha256\tmember\tblood\tslices\tlicence\n{}"
CASES = {
    "package": (
        ["--configfile", "workflow/demo.yaml", "--config", "datasets={ct-torso: {manifest: hostile.tsv}}"],
        "hostile.tsv, patient p: expected a pinned package such as name==1.0, got 'git+https://h/x'",
    ),
    "title": (
        ["--configfile", MINIATURE, "--config", "models={segguided: {title: '</script><b>'}}"],
        "config: models.segguided.title: a text may not hold '</script', which is markup in the report",
    ),
    "login": (
        ["--config", "datasets={ct-organ: {source: {mirror: 'https://u:s3cret@h/x'}}}"],
        "datasets.ct-organ.source.mirror: expected an address without user and password",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_told_before_anything_runs(tmp_path: Path, case: str) -> None:
    arguments, expected = CASES[case]
    repository = copy_repository(tmp_path)
    row = f"p\ttrain\tgit+https://h/x\t{'0' * 64}\ta/b\t\t\tx\n"
    (repository / "hostile.tsv").write_text(ROW.format(row))
    result = snakemake(repository, "-n", "all", *arguments, *ARGUMENTS)
    report = result.stdout + result.stderr
    assert result.returncode == 1 and expected in report
    assert "Traceback" not in report and "s3cret" not in report
