# The checked configuration, the splits, and the functions rules use for their inputs.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Relative, so that Snakemake compares script inputs by content and a moved checkout reruns nothing.
sys.path.insert(0, "scripts")

from segguided.config.ct_org import file_names
from segguided.config.workflow import REAL, load
from segguided.data.splits import (
    assign_splits,
    halve_test,
    read_manifest,
    sample_patients,
)
from segguided.dependencies import dependencies

TABLES = [1, 2, 3]
KINDS = {"table": "Table", "overview": "Dataset", "datacard": "Dataset"}  # of captions
MOST_PATIENTS = 120  # on an overview, which else nobody could read

try:
    CONFIG = load(config)
    DATASETS = list(
        dict.fromkeys(
            [*CONFIG.grid.datasets, *(one.masks for one in CONFIG.translations)]
        )
    )
    MANIFESTS = {
        name: {
            row["patient"]: row
            for row in read_manifest(Path(CONFIG.datasets[name].manifest))
        }
        for name in DATASETS
    }
    for name, rows in MANIFESTS.items():
        dataset = CONFIG.datasets[name]
        dataset.source.check_columns(list(next(iter(rows.values()))), dataset.manifest)
    SPLITS = {
        name: assign_splits(list(rows.values()), CONFIG.datasets[name].split)
        for name, rows in MANIFESTS.items()
    }
except ValueError as error:
    raise WorkflowError(str(error)) from None

FIRST_SEED = CONFIG.grid.seeds[0]  # of the figures
FIGURES = [
    *([1] if {"segguided", "unconditional"} <= set(CONFIG.grid.models) else []),
    *([2, 5] if CONFIG.guided_models else []),
    *([3, 6] if CONFIG.partial_models and CONFIG.partial_datasets else []),
    *([4] if CONFIG.similar_datasets else []),
]
PACKAGES = {
    row["package"]: row["sha256"]
    for name, rows in MANIFESTS.items()
    if CONFIG.datasets[name].source.kind == "demo-ct"
    for row in rows.values()
}


wildcard_constraints:
    dataset="|".join(DATASETS),
    masks="|".join(DATASETS),
    model="|".join([*CONFIG.grid.models, REAL]),
    train_set="|".join([*CONFIG.grid.models, REAL]),
    seed="|".join(map(str, CONFIG.grid.seeds)),
    patient="[^/]+",
    package="[^/]+",
    table="|".join(map(str, TABLES)),


def models_of(*kinds):
    """A rule's constraint on its model: those of the grid that are of these kinds, or nothing at all."""
    names = [name for name in CONFIG.grid.models if CONFIG.models[name].kind in kinds]
    return "|".join(names) or "(?!)"


def datasets_of(*kinds):
    """A rule's constraint on its dataset: those whose source is of these kinds, or nothing at all."""
    names = [name for name in DATASETS if CONFIG.datasets[name].source.kind in kinds]
    return "|".join(names) or "(?!)"


def masked_models():
    """The grid's image-space diffusion models with a mask: those that partial masks can guide."""
    names = [
        name for name in CONFIG.grid.models if CONFIG.models[name].denoises_under_a_mask
    ]
    return "|".join(names) or "(?!)"


def reported(file, caption, shows):
    """An output that the report shows, with workflow/report/<caption>.rst beside it."""
    kind = KINDS.get(caption, "Figure")
    which = (
        caption.removeprefix("figure") if kind == "Figure" else f"{{{kind.lower()}}}"
    )
    return report(
        f"<results>/{file}",
        caption=f"../report/{caption}.rst",
        category=f"{kind}s",
        labels={kind: which, "shows": shows, "format": file.rsplit(".", 1)[1]},
    )


def library(name):
    """The library files scripts/<name>.py imports: with them as inputs, an edit reruns what it affects."""
    script = Path("scripts", f"{name}.py")
    return [str(path) for path in dependencies(script) if path != script]


def slices_of(dataset, split):
    """Slice files of one split."""
    return [
        f"<results>/slices/{dataset}/{patient}.npz"
        for patient in SPLITS[dataset][split]
    ]


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


def overview_slices(wildcards):
    """Of the patients an overview shows: it needs no others."""
    shown = sample_patients(SPLITS[wildcards.dataset], MOST_PATIENTS)
    return [
        f"<results>/slices/{wildcards.dataset}/{patient}.npz"
        for patients in shown.values()
        for patient in patients
    ]


def patient_table(wildcards):
    return CONFIG.datasets[wildcards.dataset].manifest


def unseen_slices(wildcards):
    """The patients no generative model was trained on."""
    return held_out_slices(wildcards) + test_slices(wildcards)


def translated_slices(wildcards):
    """Those whose masks a model of another dataset draws from."""
    return slices_of(wildcards.masks, "test")


def own_slices(wildcards):
    """The same patients in the model's own modality, where its patient table names them."""
    return [
        f"<results>/slices/{wildcards.dataset}/{patient}.npz"
        for patient in SPLITS[wildcards.masks]["test"]
        if patient in MANIFESTS[wildcards.dataset]
    ]


def application_files():
    """What `snakemake applications` makes, from the first seed."""
    chosen, files = CONFIG.applications, []
    folder = "<results>/applications"
    if chosen and chosen.model in CONFIG.grid.models:
        run = f"{chosen.model}/seed{FIRST_SEED}"
        for name in CONFIG.grid.datasets:
            if CONFIG.datasets[name].rare_class:
                files.append(f"{folder}/rare/{name}/{run}.csv")
        for one in CONFIG.translations:
            path = f"{folder}/translation/{one.masks}-to-{one.dataset}/{run}"
            files += [f"{path}.csv", f"{path}.png"]
    if chosen and chosen.partial_model in CONFIG.grid.models:
        run = f"{chosen.partial_model}/seed{FIRST_SEED}"
        files += [
            f"{folder}/paired/{name}/{run}.zip" for name in CONFIG.partial_datasets
        ]
    return files


def raw_files(wildcards):
    row = MANIFESTS[wildcards.dataset][wildcards.patient]
    return CONFIG.datasets[wildcards.dataset].source.raw_files(row, wildcards.dataset)


def local_volumes(wildcards):
    """A CT-ORG patient's files in the user's folder; what is not there, the rule downloads or names."""
    source = CONFIG.datasets[wildcards.dataset].source
    names = file_names(MANIFESTS[wildcards.dataset][wildcards.patient]).values()
    return [str(path) for name in names if (path := source.local_file(name))]


def generated_held_out(wildcards):
    """The images a segmenter trains on in place of the real ones; none for the real segmenter."""
    if wildcards.train_set == REAL:
        return []
    return [
        generated(wildcards.dataset, wildcards.train_set, wildcards.seed, "held-out")
    ]


def perceptual_network(wildcards):
    """Files of the network in whose feature maps SPADE compares images; none where no such loss is configured."""
    perceptual = CONFIG.models[wildcards.model].perceptual
    if perceptual.kind == "vgg19":
        return [perceptual.weights]
    if perceptual.kind == "none":
        return []
    folder = f"<results>/perceptual/{wildcards.dataset}/{wildcards.model}/seed{wildcards.seed}"
    return [f"{folder}/model.safetensors", f"{folder}/config.json"]


def generated(dataset, model, seed, split):
    return f"<results>/generated/{dataset}/{model}/seed{seed}/{split}.npz"


def generated_test(wildcards):
    """The images to measure; none for the real images' own record."""
    if wildcards.model == REAL:
        return []
    return [generated(wildcards.dataset, wildcards.model, wildcards.seed, "test")]


def run_description(wildcards):
    """What a model's training cost; none for the real images."""
    if wildcards.model == REAL:
        return []
    return ["<results>/runs/{dataset}/{model}/seed{seed}/config.json"]


def reference_slices(wildcards):
    """Real images to set beside the generated ones, in the real images' own record."""
    return held_out_slices(wildcards) if wildcards.model == REAL else []


def metrics_records(wildcards):
    return collect(
        "<results>/metrics/{dataset}/{model}/seed{seed}.json",
        dataset=CONFIG.grid.datasets,
        model=[*CONFIG.grid.models, REAL],
        seed=CONFIG.grid.seeds,
    )


def partial_set(dataset, model):
    return f"<results>/partial/{dataset}/{model}/seed{FIRST_SEED}.npz"


def similar_set(dataset):
    model = CONFIG.similarity.model
    return f"<results>/similarity/{dataset}/{model}/seed{FIRST_SEED}.npz"


def partial_images(wildcards):
    return [partial_set(wildcards.dataset, model) for model in CONFIG.partial_models]


def similar_images(wildcards):
    return [similar_set(wildcards.dataset)]


def figure_partial_images(wildcards):
    return [
        partial_set(dataset, model)
        for dataset in CONFIG.partial_datasets
        for model in CONFIG.partial_models
    ]


def figure_similar_images(wildcards):
    return [similar_set(dataset) for dataset in CONFIG.similar_datasets]


def partial_measurements(wildcards):
    datasets = CONFIG.partial_datasets if CONFIG.partial_models else []
    return collect("<results>/partial/{dataset}.csv", dataset=datasets)


def similarity_measurements(wildcards):
    return collect(
        "<results>/similarity/{dataset}.csv", dataset=CONFIG.similar_datasets
    )


def figure_slices(wildcards):
    return [
        path for dataset in CONFIG.grid.datasets for path in slices_of(dataset, "test")
    ]


def figure_images(wildcards):
    return [
        generated(dataset, model, FIRST_SEED, "test")
        for dataset in CONFIG.grid.datasets
        for model in CONFIG.grid.models
    ]


def imported_folder(wildcards):
    return CONFIG.models[wildcards.model].folder


def exported_training_slices(wildcards):
    """The real images of all splits leave together; models draw none for training patients' masks."""
    return training_slices(wildcards) if wildcards.model == REAL else []


def exported_images(wildcards):
    """The generated sets to export, in the order of `exported_argument`; none for the real images."""
    if wildcards.model == REAL:
        return []
    return [
        generated(wildcards.dataset, wildcards.model, wildcards.seed, split)
        for split in ("held-out", "test")
    ]
