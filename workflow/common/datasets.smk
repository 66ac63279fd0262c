# Facts of a dataset and of its patients that rules of several files pass to their scripts.


def patient_table(wildcards):
    return CONFIG.datasets[wildcards.dataset].manifest


def class_names(wildcards):
    return list(CONFIG.datasets[wildcards.dataset].class_names)


def count_classes(wildcards):
    return len(CONFIG.datasets[wildcards.dataset].classes)


def values_of(dataset, names):
    """The mask values of a dataset's classes: they decide an image, whatever the classes are called."""
    known = CONFIG.datasets[dataset].class_names
    return [known.index(name) + 1 for name in names]


def first_partial_mask(wildcards):
    """The classes that the dataset's first partial mask keeps."""
    masks = CONFIG.datasets[wildcards.dataset].partial_masks
    if not masks:
        raise WorkflowError(
            f"datasets.{wildcards.dataset}.partial_masks is empty; list the classes to keep"
        )
    return list(masks[0])


def first_partial_values(wildcards):
    return values_of(wildcards.dataset, first_partial_mask(wildcards))


def halves_seed():
    """The seed of the halves of the test patients: one chooses a segmenter's epoch, one measures it."""
    return CONFIG.evaluation.halves_seed


def measuring_half_option():
    """The option of scripts that choose test masks: only those of the half that chose no segmenter's epoch."""
    seeds = [halves_seed()] if CONFIG.evaluation.measuring_half_only else []
    return option("--halves-seed", seeds)


def source_of(wildcards):
    return CONFIG.datasets[wildcards.dataset].source


def source_json(wildcards):
    return source_of(wildcards).to_json()


def row_of(wildcards):
    """The patient's row of the table; a target of the command line may name a patient without one."""
    rows = MANIFESTS[wildcards.dataset]
    if wildcards.patient not in rows:
        raise WorkflowError(
            f"{patient_table(wildcards)}: no patient {wildcards.patient}; "
            "correct the name in the command, or add a row"
        )
    return rows[wildcards.patient]


def row_json(wildcards, columns):
    row = row_of(wildcards)
    return compact({column: row[column] for column in columns})


def mask_files(wildcards):
    """The names of the files that hold the annotated classes of a patient, each once."""
    missing = NOT_ANNOTATED[wildcards.dataset].get(wildcards.patient, ())
    classes = CONFIG.datasets[wildcards.dataset].classes
    files = [c.file for k, c in enumerate(classes, 1) if c.file and k not in missing]
    names = [file.format(patient=wildcards.patient) for file in files]
    return list(dict.fromkeys(names))
