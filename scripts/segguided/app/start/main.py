"""Look at a folder of your own images and label maps, and write a first configuration for them.

Reads NIfTI volumes, DICOM series with masks as .seg.nrrd, DICOM-SEG or RTSTRUCT, and PNG slices. Shows
patients, labels, sizes, and what is suspicious; writes mine.yaml (minutes on a laptop), mine-paper.yaml (the
paper's scale) and mine.tsv (the patients). Nothing is overwritten, and nothing in the folder is changed.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.app.start import class_list, class_names, configuration, report, splitting, writing
from segguided.app.start.candidates import Candidates
from segguided.app.start.dicom_folder import dicom_patients
from segguided.app.start.folder_files import FolderFiles, counted, look
from segguided.app.start.nifti_folder import nifti_patients
from segguided.app.start.png_folder import png_patients
from segguided.app.start.reading import Patient, read_all
from segguided.cli import call, framed
from segguided.data.splits import SPLITS
from segguided.shown import printable

EXPECTED = (
    "expected image and mask of each patient with names that tell them apart, such as imagesTr/p1.nii.gz and "
    "labelsTr/p1.nii.gz, p1.nii.gz and p1_seg.nii.gz, or p1/image.nii.gz and p1/mask.nii.gz"
)


def start(folder: Path, output: Path) -> None:
    """Show what `folder` holds and write a first configuration for it into `output`.

    Raises ValueError, after all was shown and before anything is written, where the pipeline could not run on
    what was found; OSError where `output` cannot be written.
    """
    files = look(folder)
    output = output.absolute()
    _check_outside(files.root, output)
    places = writing.names_in(output)
    kinds = _kinds(files)
    remarks = list(report.about_files(files, kinds))
    found = _most_patients(files, kinds, remarks)
    patients = read_all(found.patients, remarks)
    stated, origin = class_names.find_names(files.texts)
    names = configuration.Names(*places, stated, class_names.stated_modality(files.texts))
    _show(files, found, patients, names, origin, remarks)
    split = splitting.choose_split(patients)
    _say(split.remarks)
    _write(files, found, patients, split, names)
    _say_next(names)


def _check_outside(root: Path, output: Path) -> None:
    if output.is_relative_to(root) or output.resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f"{output}: is in the folder of the data, in which nothing is changed; name another with --output"
        )
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: expected a folder for the configuration, got a file; name another")


def _kinds(files: FolderFiles) -> list[Candidates]:
    """The patients by each kind of source; the kind with the most patients first."""
    kinds = [nifti_patients(files)] if files.nifti else []
    kinds += [dicom_patients(files)] if files.dicom else []
    kinds += [png_patients(files)] if files.png else []
    return sorted(kinds, key=lambda kind: -len(kind.patients))


def _most_patients(files: FolderFiles, kinds: Sequence[Candidates], remarks: list[str]) -> Candidates:
    """The first of the kinds. Raises ValueError, after the remarks were shown, where it has no patient."""
    remarks += kinds[0].remarks if kinds else []
    if kinds and kinds[0].patients:
        return kinds[0]
    _say(remarks)
    if not kinds:
        what = "no NIfTI, DICOM or PNG file is" if remarks or files.texts else "nothing is"
        raise ValueError(f"{files.root}: {what} there, so nothing was written; {EXPECTED}")
    dicom = sum(map(len, files.dicom.values()))
    counts = f"{len(files.nifti)} NIfTI, {dicom} DICOM and {len(files.png)} PNG files"
    raise ValueError(
        f"{files.root}: of {counts} none is an image with a mask, so nothing was written; {EXPECTED}"
    )


def _show(
    files: FolderFiles,
    found: Candidates,
    patients: Sequence[Patient],
    names: configuration.Names,
    origin: Path | None,
    remarks: list[str],
) -> None:
    classes = class_list.classes_of(found, patients, names.classes)
    remarks += report.about_patients(patients, names.modality)
    remarks += report.about_labels(classes, patients)
    _print(f"{files.root}: {counted(len(patients), 'patient')} with image and mask, as {found.kind}\n")
    if patients:
        _print(report.patients_text(found, patients) + "\n")
        _print(report.labels_text(classes, patients))
        if origin and not found.classes:
            _print(f"names of the classes: {origin.relative_to(files.root)}")
        _print("")
    _say(remarks)


def _write(
    files: FolderFiles,
    found: Candidates,
    patients: Sequence[Patient],
    split: splitting.Split,
    names: configuration.Names,
) -> None:
    small = configuration.small_text(found, patients, split, names)
    paper = configuration.paper_text(found, patients, split, names)
    rows = writing.table_rows(patients, split.of_patient, names.table)
    for text in (small, paper):
        writing.check_rows(configuration.checked(text), rows, names.table)
    links = writing.links_of(found, patients, split.of_patient, names.links)
    table = writing.table_text(rows, files.root)
    writing.write_all(names, {names.table: table, names.paper: paper, names.small: small}, links)
    counts = [f"{list(split.of_patient.values()).count(name)} {name}" for name in SPLITS]
    _print(f"\nwritten: {names.small}\n         {names.paper}\n         {names.table} ({', '.join(counts)})")
    if links:
        _print(f"         {names.links}/ (links to your PNG files, with the names that the pipeline reads)")


def _say_next(names: configuration.Names) -> None:
    look_at, run = configuration.commands(names.small)
    _print(
        f"\nnext, in {configuration.ROOT}:\n  {look_at}   # look at your masks\n"
        f"  {run}   # minutes; then results/mine/table1.md\n"
        "  python scripts/generate.py results/mine/runs/mine/segguided-plus/seed0 MASKS OUTPUT   "
        "# images for masks of your own"
    )


def _say(remarks: Sequence[str]) -> None:
    if remarks:
        _print(report.listed(remarks))


def _print(text: str) -> None:
    print(printable(text), flush=True)


def command_line() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="start.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, help="folder of images and label maps, in folders below it or not"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(), help="folder for the files that are written; default: this one"
    )
    return parser


def command(words: Sequence[str]) -> None:
    """Look at a folder of your own images and masks, and write a first configuration for them."""
    parser = command_line()
    parser.prog = "segguided start"
    call(start, parser, words=words)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command with these words (None: the command line); end the process as all scripts do."""
    framed(lambda: call(start, command_line(), words=argv))
