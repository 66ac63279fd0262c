# Inputs and parameters of the rules on patients, slices and splits. Parameters are the smallest part of the
# configuration that decides an output, so that a changed value reruns exactly the jobs it affects.

from segguided.config.sources.ct_org import file_names
from segguided.config.checks.paths import usable_path
from segguided.data.splits import patients_digest
from segguided.planning.watched_files import files_in_folders


def raw_files(wildcards):
    go_on_in_a_group()
    compare_by_content()
    source, names = CONFIG.datasets[wildcards.dataset].source, mask_files(wildcards)
    return files_in_folders(source, wildcards.patient, names) or raw_places(wildcards)


def row_of(wildcards):
    """The patient's row of the table; a target may name a patient that is not there."""
    rows = MANIFESTS[wildcards.dataset]
    if wildcards.patient not in rows:
        table = CONFIG.datasets[wildcards.dataset].manifest
        raise WorkflowError(
            f"{table}: no patient {wildcards.patient}; correct the name in the command, or add a row"
        )
    return rows[wildcards.patient]


def raw_places(wildcards):
    """The files or folders that slicing is given."""
    row = row_of(wildcards)
    files = CONFIG.datasets[wildcards.dataset].source.raw_files(row, wildcards.dataset)
    for path in files:  # a name may be made of a patient's row
        try:
            usable_path(path.removeprefix("<results>/"))
        except ValueError as error:
            raise WorkflowError(f"patient {wildcards.patient}: {error}") from None
    return files


def raw_argument(wildcards, input):
    """As `raw_places`; of folders, Snakemake compares the patient's files."""
    kind = CONFIG.datasets[wildcards.dataset].source.kind
    return raw_places(wildcards) if kind in ("dicom", "png") else input.raw


def local_volumes(wildcards):
    """A CT-ORG patient's files in the user's folder; what is not there, the rule downloads or names."""
    compare_by_content()
    source = CONFIG.datasets[wildcards.dataset].source
    names = file_names(row_of(wildcards)).values()
    return [str(path) for name in names if (path := source.local_file(name))]


def slices_of(dataset, split):
    """Slice files of one split."""
    return [
        f"<results>/slices/{dataset}/{patient}.npz"
        for patient in SPLITS[dataset][split]
    ]


def list_of(dataset, split):
    """The file with their names: thousands would not fit on a command line, so scripts are given this."""
    return f"<results>/data/{dataset}/{split}.txt"


def training_slices(wildcards):
    return slices_of(wildcards.dataset, "train")


def held_out_slices(wildcards):
    return slices_of(wildcards.dataset, "held-out")


def test_slices(wildcards):
    return slices_of(wildcards.dataset, "test")


def all_slices(wildcards):
    return [
        path
        for split in SPLITS[wildcards.dataset]
        for path in slices_of(wildcards.dataset, split)
    ]


def patient_table(wildcards):
    return CONFIG.datasets[wildcards.dataset].manifest


def drawn_json(wildcards):
    """How splits are drawn; nothing where a column of the patient table tells them."""
    split = CONFIG.datasets[wildcards.dataset].split
    return split.to_json() if split else ""


def split_digest(wildcards):
    """Tells when the patients of a split are others."""
    return patients_digest(SPLITS[wildcards.dataset][wildcards.split])


def halves_seed():
    return CONFIG.evaluation.halves_seed


def slices_folder(wildcards):
    return f"{RESULTS}/slices/{wildcards.dataset}"


def lookup_sha256(wildcards):
    """The recorded checksum of a package; one the patient tables do not name cannot be fetched."""
    if wildcards.package not in PACKAGES:
        raise WorkflowError(
            f"no patient table names the package '{wildcards.package}'; named: {', '.join(sorted(PACKAGES))}"
        )
    return PACKAGES[wildcards.package]


def source_json(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.to_json()


def preparation_json(wildcards):
    return CONFIG.datasets[wildcards.dataset].preparation_json()


def source_row(wildcards):
    """The columns of a patient's row that tell where its files come from."""
    return row_json(wildcards, CONFIG.datasets[wildcards.dataset].source.columns)


def slicing_row(wildcards):
    """Those that tell what its files mean: others decide no pixel."""
    source = CONFIG.datasets[wildcards.dataset].source
    return row_json(wildcards, source.columns_read_by_slicing)


def row_json(wildcards, columns):
    row = row_of(wildcards)
    return compact({column: row[column] for column in columns})


def mask_folder(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.masks


def endpoint(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.endpoint or ""


def mask_files(wildcards):
    """Names of the files that hold a patient's masks, each once."""
    classes = CONFIG.datasets[wildcards.dataset].classes
    names = [one.file.format(patient=wildcards.patient) for one in classes if one.file]
    return list(dict.fromkeys(names))
