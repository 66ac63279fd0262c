# Inputs and parameters of the rules that fetch volumes.

from segguided.config.sources.ct_org import file_names


def package_sha256(wildcards):
    """The checksum of a package in the patient tables; a package without one cannot be fetched."""
    if wildcards.package not in PACKAGES:
        raise WorkflowError(
            f"no patient table names the package '{wildcards.package}'; named: {', '.join(sorted(PACKAGES))}"
        )
    return PACKAGES[wildcards.package]


def source_row(wildcards):
    """The cells of a patient's row that say where the files come from."""
    return row_json(wildcards, source_of(wildcards).columns)


def mask_folder(wildcards):
    return source_of(wildcards).masks


def endpoint(wildcards):
    return source_of(wildcards).endpoint or ""


def local_volumes(wildcards):
    """Those of a CT-ORG patient's files that are in the user's folder; the rule downloads the others."""
    compare_by_content()
    source = source_of(wildcards)
    paths = [source.local_file(name) for name in file_names(row_of(wildcards)).values()]
    return [str(path) for path in paths if path]
