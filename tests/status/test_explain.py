"""What a failed run says last."""

import json

from segguided.status.explain import MOST_JOBS, explain_failures
from support.status_scenes import recorded


def explained(capsys, path):
    explain_failures(path)
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def test_each_failed_job_its_last_lines_and_what_to_do(tmp_path, capsys):
    text = explained(capsys, recorded("failed", tmp_path).path)
    assert "3 jobs failed:" in text
    assert "  train_diffusion breast-phantom/segguided-mat/seed0, attempt 2: killed (SIGKILL)" in text
    assert "    | RuntimeError: shapes do not match" in text
    assert "    log: logs/prepare_patient/breast-phantom/tiny_1.log" in text
    assert "    → fix what it names, then the same command again" in text
    assert text.count("Rows is missing") == 1, "a sentence needs no log beside it"
    assert max(text.count(line) for line in text.splitlines() if line.startswith("    |")) == 1


def test_a_run_that_was_interrupted_has_nothing_to_explain(tmp_path, capsys):
    assert explained(capsys, recorded("interrupted", tmp_path).path) == ""


def test_many_failures_are_cut(tmp_path, capsys):
    run = recorded("failed", tmp_path)
    lines = run.path.read_text().splitlines()
    job = next(line for line in lines if '"failed"' in line and '"id": "8"' in line)
    begin = next(line for line in lines if '"job"' in line and '"id": "8"' in line)
    for i in range(100, 130):
        for line in (begin, job):
            lines.append(json.dumps({**json.loads(line), "id": str(i)}))
    run.path.write_text("\n".join(lines) + "\n")
    text = explained(capsys, run.path)
    assert text.count("    → ") == MOST_JOBS
    assert f"and {33 - MOST_JOBS} more: make status lists them" in text


def test_whatever_is_missing_the_run_ends_as_it_would(tmp_path, capsys):
    assert explained(capsys, None) == ""
    assert "could not be summed up" in explained(capsys, tmp_path / "missing.jsonl")
    (tmp_path / "empty.jsonl").touch()
    assert explained(capsys, tmp_path / "empty.jsonl") == ""
    (tmp_path / "odd.jsonl").write_text('{"event": "job"}\n')
    assert explained(capsys, tmp_path / "odd.jsonl") == "", "a line of another shape is passed over"
