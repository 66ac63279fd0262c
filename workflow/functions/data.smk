# Inputs and parameters of the rules that make phantoms and slice volumes. A parameter is the smallest part of the
# configuration that decides an output, so that a changed value reruns exactly the jobs it affects.

from functools import cache

from segguided.config.checks.paths import usable_path
from segguided.planning.watched_files import files_in_folders


def raw_files(wildcards):
    """The patient's files, also where slicing is given folders: Snakemake then compares these files."""
    keep_going_in_groups()
    compare_by_content()
    names = mask_files(wildcards)
    files = files_in_folders(
        source_of(wildcards), wildcards.patient, names, row_of(wildcards)
    )
    return files or raw_places(wildcards)


def raw_places(wildcards):
    """The files or folders that slicing is given."""
    places = source_of(wildcards).raw_files(row_of(wildcards), wildcards.dataset)
    for path in places:  # its name may be made of cells of the patient's row
        try:
            usable_path(path.removeprefix("<results>/"))
        except ValueError as error:
            raise WorkflowError(f"patient {wildcards.patient}: {error}") from None
    return places


def raw_argument(wildcards, input):
    in_folders = source_of(wildcards).kind in ("dicom", "png")
    return raw_places(wildcards) if in_folders else input.raw


def preparation_json(wildcards):
    return preparation_of(wildcards.dataset)


@cache  # each patient's job asks for it
def preparation_of(dataset):
    return CONFIG.datasets[dataset].preparation_json()


def not_annotated_option(wildcards):
    """The classes that the patient was not annotated for, as mask values: their names decide no pixel."""
    values = NOT_ANNOTATED[wildcards.dataset].get(wildcards.patient, ())
    return option("--not-annotated", values)


def slicing_row(wildcards):
    """The cells of a patient's row that slicing reads: the others decide no pixel."""
    return row_json(wildcards, source_of(wildcards).columns_read_by_slicing)
