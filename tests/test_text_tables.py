"""Tables and lists in text files: the right values, or one sentence with file, line and remedy."""

import csv
import io
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segguided import text_tables
from segguided.config.datasets import RandomSplit
from segguided.data.download.checksums import read_record
from segguided.data.splits import assign_splits, read_comments, read_manifest
from segguided.evaluation.csv_files import read_csv, to_csv
from segguided.status.hours import _seconds
from segguided.tables.inputs import read_paper_values
from segguided.text_tables import read_lines, read_table


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "t.tsv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, **settings: object) -> str:
    with pytest.raises(ValueError, match=re.escape(path.name)) as caught:
        read_table(path, **settings)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def cells(path: Path) -> list[list[str]]:
    table = read_table(path, comments=True)
    return [list(table.columns), *([row[name] for name in table.columns] for row in table.rows)]


# Quotes


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('p1\t"see ""report"""', 'see "report"'),
        ('p1\tsee "report"', 'see "report"'),
        ('p1\t""', ""),
        ('"p1"\t5" scar', '5" scar'),
        ('p1\t"quoted, for no reason"', "quoted, for no reason"),
        ("p1\tit's 5'", "it's 5'"),
    ],
)
def test_quotes_of_a_spreadsheet(tmp_path: Path, line: str, value: str) -> None:
    assert cells(written(tmp_path, f"patient\tnote\n{line}\np2\tok\n")) == [
        ["patient", "note"],
        ["p1", value],
        ["p2", "ok"],
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('p1\t"motion', "a cell begins with a quote that does not close at its end"),
        ('p1\t"', "a cell begins with a quote that does not close at its end"),
        ('p1\t"two\nlines"', "a cell begins with a quote that does not close at its end"),
        ('p1\t"a" and b', "a cell begins with a quote that does not close at its end"),
        ('"p1\tx"\ty', "a quoted cell holds a tab, which separates cells"),
        ('p1\t"a\tb"', "a quoted cell holds a tab, which separates cells"),
    ],
)
def test_quotes_that_swallow_are_refused(tmp_path: Path, line: str, reason: str) -> None:
    message = refusal(written(tmp_path, f'patient\tnote\np0\tok\n{line}\np2\tok"\n'))
    assert f"line 3: {reason}" in message
    assert "close it and double the quotes inside" in message


def test_no_patient_vanishes_between_two_quotes(tmp_path: Path) -> None:
    notes = ["ok", '"motion', "ok", "ok", "ok", '"', "ok"]
    rows = "".join(f"p{k}\t{note}\n" for k, note in enumerate(notes, 1))
    with pytest.raises(ValueError, match=r"t\.tsv, line 3: a cell begins with a quote"):
        read_manifest(written(tmp_path, "patient\tnote\n" + rows))


def test_an_unclosed_quote_in_a_large_table(tmp_path: Path) -> None:
    """What follows is longer than the limit of csv, whose error is no ValueError."""
    lines = [f"patient_{k:06d}\tok, nothing to say\n" for k in range(8000)]
    rows = "".join([*lines[:5], 'patient_000005\t"\n', *lines[6:]])
    assert "line 7: a cell begins" in refusal(written(tmp_path, "patient\tnote\n" + rows))


# Columns and rows


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("patient\tsplit\tpatient\na\tb\tc\n", "line 1: the column patient appears there twice"),
        ("a\tb\ta\tb\n1\t2\t3\t4\n", "line 1: the column a, b appears there twice"),
        ('a\t"a"\n1\t2\n', "line 1: the column a appears there twice"),
        ("a \tb\n1\t2\n", "line 1: the column name 'a ' begins or ends with a space"),
        ("a\u200b\tb\n1\t2\n", r"line 1: the column name 'a\u200b' begins or ends with a space, or holds a"),
        ("a\tb\t\n1\t2\t3\n", "line 2: '3' is in a column without a name"),
        ("a\tb\n1\n", "line 2: expected 2 cells as in the header, got 1"),
        ("a\tb\n1\t2\n\n1\t2\t3\n", "line 4: expected 2 cells as in the header, got 3"),
        ("# no row\n\n", "but it holds no row; correct the file"),
        ("b\n1\n", "line 1: expected a tab-separated table with the column a, got 'b'; add a, or name"),
        ("a,b\n1,2\n", "expected a tab-separated table with the column a, got 'a,b'"),
    ],
)
def test_tables_of_another_form(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refusal(
        written(tmp_path, text), needs={"a"} if "patient" not in text else (), comments=True
    )


def test_a_column_that_a_spreadsheet_left_empty(tmp_path: Path) -> None:
    assert cells(written(tmp_path, "a\tb\t\t\n1\t2\t\t\n\t\t\t\n3\t\t\t\n")) == [
        ["a", "b"],
        ["1", "2"],
        ["3", ""],
    ]


def test_the_numbers_that_pandas_writes_before_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame({"patient": ["p1", "p2"], "note": ["5, or 6", 'a "b"']})
    frame.to_csv(tmp_path / "t.tsv", sep="\t")
    assert cells(tmp_path / "t.tsv") == [["patient", "note"], ["p1", "5, or 6"], ["p2", 'a "b"']]


def test_comments_as_a_spreadsheet_saves_them(tmp_path: Path) -> None:
    path = written(tmp_path, '# from "there"\t\n"# said ""so"""\t\npatient\tsplit\np1\ttrain\n')
    assert read_comments(path) == ['from "there"', 'said "so"']
    assert [row["patient"] for row in read_manifest(path)] == ["p1"]


# Characters and line ends


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_line_ends_and_encodings(tmp_path: Path, end: str, encoding: str) -> None:
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    text = f"# wöher{end}patient\tsplit{end}pü\ttrain{end}p2\ttest{end}"
    path = written(tmp_path, mark + text.encode(encoding))
    assert cells(path) == [["patient", "split"], ["pü", "train"], ["p2", "test"]]
    assert read_comments(path) == ["wöher"]


@pytest.mark.parametrize("point", [0, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029, 0x1B])
@pytest.mark.parametrize("before", ["", "# "])
def test_characters_that_split_lines_elsewhere(tmp_path: Path, point: int, before: str) -> None:
    path = written(tmp_path, f"patient\tsplit\n{before}p1\ttr{chr(point)}ain\np2\ttest\n")
    assert f"line 2: holds the character U+{point:04X}" in refusal(path, comments=True)


@pytest.mark.parametrize("text", ["a\tb\n1\t2\r3\n", "a\tb\r\r\n1\t2\r\r\n", "a\tb\r1\t2\n"])
def test_mixed_line_ends(tmp_path: Path, text: str) -> None:
    assert "holds a carriage return that ends no line" in refusal(written(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "line"),
    [("a\nMüller\n".encode("latin-1"), 2), (b"\xff\xfea\x00\n", 1), (b"a\n\nb\xed\xa0\x80\n", 3)],
)
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes, line: int) -> None:
    assert f"line {line}: expected text in UTF-8, got the byte 0x" in refusal(written(tmp_path, content))


# Hostile files


def test_devices_pipes_and_folders_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path / "link"):
        assert "expected a text file, but it is a device or pipe; name a file" in refusal(path)
    assert "it is a folder" in refusal(tmp_path)
    for name in ("absent", "loop", "n" * 300):
        assert "cannot be read (" in refusal(tmp_path / name)


def test_a_file_of_ten_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.tsv").open("wb") as file:
        file.truncate(10 * 10**9)
    assert "at most 64 MB, got 10,000 MB" in refusal(tmp_path / "large.tsv")


@pytest.mark.parametrize("line", ["p\t" + "x" * 10**6, "# " + "x" * 10**6, '"' + "x" * 10**6 + '"\t1'])
def test_a_cell_of_a_million_characters(tmp_path: Path, line: str) -> None:
    message = refusal(written(tmp_path, f"patient\tnote\n{line}\n"), comments=True)
    assert re.search(r"line 2: expected at most 100,000 characters in a line, got 1,000,00\d", message)
    assert len(message) < 300


# Names of patients


@pytest.mark.parametrize(("name", "twin"), [("P1", "p1"), ("Müller", "MÜLLER"), ("a.B", "A.b")])
def test_patients_whose_files_are_one_on_some_disks(tmp_path: Path, name: str, twin: str) -> None:
    with pytest.raises(
        ValueError, match=f"line 4: '{twin}' and '{name}' differ only in capitals.*rename one"
    ):
        read_manifest(written(tmp_path, f"patient\nx\n{name}\n{twin}\n"))


@pytest.mark.parametrize("name", ["Mu\u0308ller", "e\u0301t\u00e9", "A\u030angstro\u0308m"])
def test_names_in_another_unicode_form_are_one(tmp_path: Path, name: str) -> None:
    import unicodedata

    composed = unicodedata.normalize("NFC", name)
    assert read_manifest(written(tmp_path, f"patient\n{name}\n")) == [{"patient": composed}]
    with pytest.raises(ValueError, match=f"line 3: patient {composed} appears twice"):
        read_manifest(written(tmp_path, f"patient\n{composed}\n{name}\n"))


# Splits

COUNTS = {"seed": 0, "held_out": 1, "test": 1}


@pytest.mark.parametrize("column", ["split", "Split", "SPLIT"])
@pytest.mark.parametrize("filled", [("train", "held-out", "test"), ("", "", "val"), ("x", "x", "x")])
def test_a_split_column_beside_counts_is_decided_in_the_config(
    tmp_path: Path, filled: tuple[str, ...], column: str
) -> None:
    rows = read_manifest(
        written(
            tmp_path, f"patient\t{column}\n" + "".join(f"p{k}\t{name}\n" for k, name in enumerate(filled))
        )
    )
    with pytest.raises(
        ValueError, match=r"t\.tsv, line \d: .* write `column: null` there so that the counts"
    ):
        assign_splits(rows, RandomSplit(**COUNTS))
    splits = assign_splits(rows, RandomSplit(**COUNTS, column=None))
    assert [len(names) for names in splits.values()] == [1, 1, 1]


def test_an_empty_split_column_decides_nothing(tmp_path: Path) -> None:
    rows = read_manifest(written(tmp_path, "patient\tsplit\na\t\nb\t\nc\t\n"))
    splits = assign_splits(rows, RandomSplit(**COUNTS))
    assert sorted(patient for patients in splits.values() for patient in patients) == ["a", "b", "c"]


def test_what_the_workflow_decided_a_script_does_not_ask_again() -> None:
    rows = [{"patient": patient, "split": "train"} for patient in "abc"]
    split = RandomSplit.from_json(RandomSplit(**COUNTS, column=None).to_json())
    assert [len(names) for names in assign_splits(rows, split).values()] == [1, 1, 1]


@pytest.mark.parametrize("name", ["Train", "val", "train ", "heldout", "validation"])
def test_unknown_split_names_are_told_with_their_line(tmp_path: Path, name: str) -> None:
    rows = read_manifest(written(tmp_path, f"# c\npatient\tsplit\na\ttrain\nb\t{name}\n"))
    with pytest.raises(
        ValueError, match=f"line 4: patient b has split '{name}'; write one of train, held-out"
    ):
        assign_splits(rows, None)


@pytest.mark.parametrize(
    ("split", "reason"),
    [
        (None, "split 'held-out' has no patient; each of train, held-out, test needs at least one"),
        (RandomSplit(**COUNTS, column=None), "2 patients cannot give 1 held-out and 1 test patients"),
        (RandomSplit(seed=0, column="split"), "split 'held-out' has no patient"),
    ],
)
def test_too_few_patients_name_the_table(tmp_path: Path, split: RandomSplit | None, reason: str) -> None:
    rows = read_manifest(written(tmp_path, "patient\tsplit\na\ttrain\nb\ttest\n"))
    with pytest.raises(ValueError, match=rf"t\.tsv: {reason}"):
        assign_splits(rows, split)


# The other readers


@pytest.mark.parametrize(
    "text", ["s\th:m:s\n3.5\t0\n", "s\th:m:s\n3.0\t0\n0.5\t-\n", "s\th:m:s\r\n3.5\t\r\n"]
)
def test_benchmarks(tmp_path: Path, text: str) -> None:
    assert _seconds(written(tmp_path, text)) == 3.5


@pytest.mark.parametrize("text", ["", "s\n", "x\n1\n", 's\n"1\n', "s\tx\n1\n", "s\n1\x85\n", "s\n-\n"])
def test_benchmarks_that_are_damaged_count_as_none(tmp_path: Path, text: str) -> None:
    assert _seconds(written(tmp_path, text)) is None


HEAD = "table\tpaper_column\tmodel\tmeasure\tvalue\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + '1\tx\tm\t"dice\t0.5\n2\tx\tm\t"\t0.6\n', "line 2: a quoted cell|line 2: a cell begins"),
        (HEAD + "1\tx\tm\tdice\t0,5\n", "line 2: expected a whole number in table and a number in value"),
        (HEAD + "1\tx\tm\td\t1\n1\tx\tm\td\t1\n", "line 3: 1 × x × m × d appears twice"),
        ("table\tmodel\tpaper_column\tmeasure\tvalue\n", "expected the columns table, paper_column"),
    ],
)
def test_published_values(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_paper_values(written(tmp_path, text))


@pytest.mark.parametrize("title", ["a, b", 'the "best"', "it's"])
def test_tables_of_titles_with_commas_and_quotes(tmp_path: Path, title: str) -> None:
    frame = pd.DataFrame({"model": [title, "x"], "dice": [0.5, 0.25]})
    assert read_csv(written(tmp_path, to_csv(frame))).equals(frame)


@pytest.mark.parametrize(
    "text", ["", "model,dice\n", 'model,dice\n"a,0.5\nb",0.5\n', "model,model\na,1\n", "model,dice\na\n"]
)
def test_tables_that_are_cut(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"t\.tsv"):
        read_csv(written(tmp_path, text))


def test_checksum_lists(tmp_path: Path) -> None:
    zeros = "0" * 64
    ones = "1" * 64
    names = ["a.nii.gz", "with two  spaces.nii", "größe.nrrd"]
    path = written(tmp_path, "".join(f"{zeros}  {name}\n" for name in names))
    assert read_record(path) == dict.fromkeys(names, zeros)
    assert read_record(tmp_path / "absent") == {}
    for text, reason in (
        (f"{zeros}  a\n{ones}  a\n", "line 2: a appears twice, with two checksums"),
        (f"{zeros}  a\x85{ones}  b\n", "line 1: holds the character U\\+0085"),
        (f"{zeros}  a\n{zeros} b\n", "line 2: expected a SHA-256, two spaces and a file name"),
    ):
        with pytest.raises(ValueError, match=reason):
            read_record(written(tmp_path, text))


# Whatever is written is read back equal, or refused

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)


def sheet(rows: list[list[str]], quoting: int, end: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter="\t", quoting=quoting, lineterminator=end).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[str]) -> list[list[str]]:
    width = draw(st.integers(1, 4))
    header = [f"column{k}" for k in range(width)]
    line = st.lists(cell, min_size=width, max_size=width)
    return [header, *draw(st.lists(line, max_size=6))]


def test_what_a_spreadsheet_writes_is_read_back(tmp_path: Path) -> None:
    """At most one in fifty of the valid tables is refused."""
    outcomes: list[bool] = []

    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(
        rows=tables(PLAIN),
        quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        end=st.sampled_from(["\n", "\r\n", "\r"]),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    )
    def attempt(rows: list[list[str]], quoting: int, end: str, encoding: str) -> None:
        path = written(tmp_path, sheet(rows, quoting, end).encode(encoding))
        try:
            table = read_table(path)
        except ValueError:
            outcomes.append(False)
            return
        outcomes.append(True)
        expected = [row for row in rows[1:] if "".join(row).strip()]  # a blank line is no row
        assert [list(row.values()) for row in table.rows if "".join(row.values()).strip()] == expected

    attempt()
    assert len(outcomes) >= 500
    assert outcomes.count(False) <= len(outcomes) / 50


@settings(max_examples=600, deadline=None, derandomize=True, database=None)
@given(
    rows=tables(TEXT | st.text('"\t\n\r#a,\x0b\x85\u2028', max_size=8)),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, None]),
)
def test_any_cells_are_read_back_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], quoting: int | None
) -> None:
    """Written with or without quotes: what is read is what was written, as far as the form can tell it."""
    text = "".join("\t".join(row) + "\n" for row in rows) if quoting is None else sheet(rows, quoting, "\n")
    path = written(tmp_path_factory.getbasetemp(), text)
    try:
        table = read_table(path)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    kept = [row for row in rows[1:] if "".join(row).strip()]
    got = [list(row.values()) for row in table.rows if "".join(row.values()).strip()]
    if quoting is None and '"' in text:  # without quotes' rule on the writer's side, "x" may mean x
        assert len(got) <= text.count("\n") + text.count("\r")
    elif quoting is not None:
        assert got == kept


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(content=st.binary(max_size=200) | st.text('ab"\t\r\n#,\ufeff\x00', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    for read in (read_lines, read_table, read_manifest):
        try:
            read(path)
        except ValueError as error:
            assert str(path) in str(error)


def test_the_limits_are_below_those_of_the_library() -> None:
    assert csv.field_size_limit() > text_tables.LONGEST_LINE
