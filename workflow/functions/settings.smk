# The checked configuration, the splits, and what rules of every kind use. No rules: those are in workflow/rules.

import json
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Relative, so that Snakemake compares scripts by content and a moved checkout reruns nothing.
sys.path.insert(0, "scripts")

from segguided.config.reserved import REAL
from segguided.config.workflow import load
from segguided.planning.enough import check_enough
from segguided.data.download.pins import pinned_packages
from segguided.data.splits import assign_splits, read_manifest
from segguided.planning.dependencies import digest

TABLES = [1, 2, 3]
KINDS = {"table": "Table", "overview": "Dataset", "datacard": "Dataset"}  # of captions

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
        dataset.source.check_rows(rows.values(), dataset.manifest)
    PACKAGES = pinned_packages(
        {
            CONFIG.datasets[name].manifest: rows.values()
            for name, rows in MANIFESTS.items()
            if CONFIG.datasets[name].source.kind == "demo-ct"
        }
    )
    SPLITS = {
        name: assign_splits(list(rows.values()), CONFIG.datasets[name].split)
        for name, rows in MANIFESTS.items()
    }
    for name in CONFIG.grid.datasets:
        check_enough(
            name,
            CONFIG.datasets[name],
            SPLITS[name],
            figure5=bool(CONFIG.guided_models),
        )
except ValueError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.pathvars.get("results", "results")  # <results> in parameters
FIRST_SEED = CONFIG.grid.seeds[0]  # of the figures
FIGURES = [
    *([1] if {"segguided", "unconditional"} <= set(CONFIG.grid.models) else []),
    *([2, 5] if CONFIG.guided_models else []),
    *([3, 6] if CONFIG.partial_models and CONFIG.partial_datasets else []),
    *([4] if CONFIG.similar_datasets else []),
]


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
    """The digest of the library files scripts/<name>.py imports: as a parameter, an edit reruns what it affects.

    As inputs the two dozen files of each patient's job would take most of the planning's time.
    """
    return digest(Path("scripts", f"{name}.py"))


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def optional(words, values):
    """The words of a command line that `values` follow, and these; none where there are no values.

    A list, of which a rule's `{params.NAME:q}` quotes each word: configuration may hold what a shell acts on.
    """
    return [*words.split(), *values] if values else []


def listed(words, lists):
    """The same with `@list …`, which stands for the lines of these files."""
    return optional(words, [f"@{path}" for path in lists])
