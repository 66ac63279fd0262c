"""Writes the configuration files, the patient table and, for PNG files of other names, a folder of links."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.app.start.candidates import Candidates
from segguided.app.start.configuration import Names
from segguided.app.start.reading import Patient
from segguided.config.checks.paths import usable_path
from segguided.config.workflow import Config
from segguided.data.formats.png import FOLDERS
from segguided.files import write_text
from segguided.text_tables import TableRow

FOLDER_OF_SPLIT = {split: folder for folder, split in FOLDERS.items()}


def names_in(output: Path) -> tuple[Path, Path, Path, Path]:
    """mine.yaml, mine-paper.yaml, mine.tsv and the folder of links. Raises ValueError where one exists."""
    names = [output / name for name in ("mine.yaml", "mine-paper.yaml", "mine.tsv", "mine-slices")]
    for path in names:
        usable_path(str(path))
        if os.path.lexists(path):
            raise ValueError(
                f"{path}: exists already, and nothing is overwritten; name another folder with --output, or "
                "move it away"
            )
    return names[0], names[1], names[2], names[3]


def table_rows(patients: Sequence[Patient], split: Mapping[str, str], table: Path) -> list[TableRow]:
    """The rows of the patient table, each with the line that it will have."""
    return [
        TableRow(
            {"patient": patient.name, "split": split[patient.name], **patient.candidate.cells}.items(),
            table,
            line,
        )
        for line, patient in enumerate(patients, 3)
    ]


def check_rows(config: Config, rows: Sequence[TableRow], table: Path) -> None:
    """Raise ValueError, as the pipeline would, for a table that its source cannot use."""
    source = config.datasets[config.grid.datasets[0]].source
    source.check_columns(list(rows[0]), str(table))
    source.check_rows(rows, str(table))
    for row in rows:
        for column, cell in row.items():
            if not cell.isprintable() or '"' in cell:
                raise ValueError(
                    f"patient {row['patient']}: its {column} {cell!a} holds a character that no table "
                    "can hold; rename the file"
                )


def table_text(rows: Sequence[TableRow], origin: Path) -> str:
    """The patient table: a comment, the columns, and a line for each patient."""
    lines = [f"# patients of {origin}; you may change the column split: train, held-out, test"]
    lines.append("\t".join(rows[0]))
    lines += ["\t".join(row.values()) for row in rows]
    return "\n".join(lines) + "\n"


def write_all(names: Names, texts: Mapping[Path, str], links: Mapping[Path, Path]) -> None:
    """Write all files and links, or none: what was written is removed where one cannot be."""
    made: list[Path] = []
    try:
        for link, target in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        for path, text in texts.items():
            write_text(path, text)
            made.append(path)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        if links:
            shutil.rmtree(names.links, ignore_errors=True)  # links alone; what they lead to stays
        raise


def links_of(
    found: Candidates, patients: Sequence[Patient], split: Mapping[str, str], folder: Path
) -> dict[Path, Path]:
    """Links in the layout that the pipeline reads, to the user's PNG files; none where these are in it."""
    links: dict[Path, Path] = {}
    if found.source:
        return links
    for patient in patients:
        below = FOLDER_OF_SPLIT[split[patient.name]]
        for name, (image, mask) in patient.candidate.links.items():
            links[folder / "images" / below / f"{name}.png"] = image
            links[folder / "masks" / below / f"{name}.png"] = mask
    return links
