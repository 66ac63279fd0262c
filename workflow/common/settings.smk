# The checked configuration, the patients, their splits, and the wildcards' values.

import json

from segguided.config.left_out import figure1_models
from segguided.config.reserved import REAL
from segguided.config.workflow import load
from segguided.data.annotation import not_annotated
from segguided.data.download.pins import pinned_packages
from segguided.data.splits import assign_splits, read_manifest
from segguided.planning.annotated import check_annotations
from segguided.planning.enough import check_enough


def read_patients(name):
    """The rows of a dataset's patient table, by patient. Raises ValueError for a row that cannot be used."""
    dataset = CONFIG.datasets[name]
    rows = read_manifest(Path(dataset.manifest))
    dataset.source.check_columns(list(rows[0]), dataset.manifest)
    dataset.source.check_rows(rows, dataset.manifest)
    return {row["patient"]: row for row in rows}


def read_packages():
    """The checksums of the packages that patient tables name, by package."""
    tables = {
        CONFIG.datasets[name].manifest: rows.values()
        for name, rows in MANIFESTS.items()
        if CONFIG.datasets[name].source.kind == "demo-ct"
    }
    return pinned_packages(tables)


def unknown_classes(name):
    """By patient, the mask values of the classes that it was not annotated for. Raises ValueError for bad names."""
    return not_annotated(
        list(MANIFESTS[name].values()), CONFIG.datasets[name].class_names
    )


def split_patients(name):
    """The patients of each split of a dataset. Raises ValueError where they are too few."""
    dataset = CONFIG.datasets[name]
    splits = assign_splits(list(MANIFESTS[name].values()), dataset.split)
    if name in CONFIG.grid.datasets:
        half_only = CONFIG.evaluation.measuring_half_only
        seed = CONFIG.evaluation.halves_seed if half_only else None
        figure5 = bool(CONFIG.guided_models)
        check_enough(name, dataset, splits, figure5=figure5, halves_seed=seed)
    check_annotations(CONFIG, name, splits, NOT_ANNOTATED[name])
    return splits


def possible_figures():
    """The figures that the grid has models and datasets for."""
    return [
        *([1] if figure1_models(CONFIG) else []),
        *([2, 5] if CONFIG.guided_models else []),
        *([3, 6] if CONFIG.partial_models and CONFIG.partial_datasets else []),
        *([4] if CONFIG.similar_datasets else []),
    ]


try:
    CONFIG = load(config)
    MASK_DATASETS = [translation.masks for translation in CONFIG.translations]
    DATASETS = list(dict.fromkeys([*CONFIG.grid.datasets, *MASK_DATASETS]))
    MANIFESTS = {name: read_patients(name) for name in DATASETS}
    NOT_ANNOTATED = {name: unknown_classes(name) for name in DATASETS}
    PACKAGES = read_packages()
    SPLITS = {name: split_patients(name) for name in DATASETS}
except ValueError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.pathvars.get("results", "results")  # <results> in parameters
FIRST_SEED = CONFIG.grid.seeds[0]  # of figures and applications
RARE_SEEDS = CONFIG.rare_seeds
SEGMENTER_SEEDS = list(dict.fromkeys([*CONFIG.grid.seeds, *RARE_SEEDS]))
TABLES = [1, 2, 3]
FIGURES = possible_figures()


wildcard_constraints:
    dataset="|".join(DATASETS),
    masks="|".join(DATASETS),
    split="|".join(SPLITS[DATASETS[0]]),
    model="|".join([*CONFIG.grid.models, REAL]),
    train_set="|".join([*CONFIG.grid.models, REAL]),
    seed="|".join(map(str, CONFIG.grid.seeds)),
    patient="[^/]+",
    package="[^/]+",
    table="|".join(map(str, TABLES)),
    sweep="|".join(CONFIG.sweeps) or "(?!)",


def one_of(names):
    """A wildcard's constraint: one of these names; nothing matches where there are none."""
    return "|".join(names) or "(?!)"


def models_of(*kinds):
    """The constraint of a rule that serves models of these kinds."""
    models = CONFIG.grid.models
    return one_of(name for name in models if CONFIG.models[name].kind in kinds)


def guided_models():
    """The constraint of a rule that serves models of any kind that see a mask."""
    return one_of(CONFIG.guided_models)


def masked_models():
    """The constraint of a rule that serves image-space diffusion models with a mask."""
    models = CONFIG.grid.models
    return one_of(name for name in models if CONFIG.trained(name).denoises_under_a_mask)


def models_with_completer():
    """The constraint of a rule that serves models with a mask completer."""
    return one_of(name for name in CONFIG.grid.models if has_completer(name))


def has_completer(name):
    model = CONFIG.models[name]
    return model.kind == "diffusion" and model.completer is not None


def datasets_of(*kinds):
    """The constraint of a rule that serves datasets whose source is of these kinds."""
    return one_of(
        name for name in DATASETS if CONFIG.datasets[name].source.kind in kinds
    )
