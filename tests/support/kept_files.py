"""Every kind of file that a run keeps in its results, how it is read, and other valid files in its place.

The tests hold workflow/docs/damage.md against this table, and this table against a finished run.
"""

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from segguided.cli import slices_parser
from segguided.config.classes import AnatomyClass
from segguided.config.sources.phantom import PhantomSource
from segguided.data.augmented import read_rare_set
from segguided.data.datasets.sources import read_patient
from segguided.data.slices import read_generated, read_seen_masks, read_slices
from segguided.describe.facts import read_splits
from segguided.evaluation.csv_files import read_csv
from segguided.evaluation.records import read_training_cost
from segguided.generation.controlnet import load_pipeline
from segguided.generation.diffusion import load_denoiser
from segguided.generation.masks.completion import load_completer
from segguided.generation.sets import read_matching_slices
from segguided.generation.spade import load_generator
from segguided.generation.variants import read_seen_variants, read_variants
from segguided.models.controlnet.stages import EarlierStages
from segguided.models.plain_encoder import load_encoder
from segguided.models.segmenter import load_segmenter
from segguided.tables.inputs import read_records
from segguided.training.storage import check_generated_with, check_trained_on
from support.damages import (
    RESULTS,
    Change,
    copied,
    listed_elsewhere,
    network_again,
    network_of_other_classes,
    of_seed_1,
    record_again,
    set_again,
    set_of_other_classes,
    set_of_other_weights,
    slices_of_other_classes,
)

D, RUN = "breast-phantom", "breast-phantom/segguided/seed0"
CPU = torch.device("cpu")

# Made for people and other programs; no rule and no script of this project reads them.
UNREAD = {
    "pictures": r".*\.(png|pdf)",
    "tables in Markdown, data cards": r".*\.md",
    "paired images": r"applications/paired/.*\.zip",
    "measurements": r"(reproduction|table\d_comparisons|applications/(rare|translation)/.*)\.csv",
    "histories": r".*/history\.csv",
    "checksums of a data card": r"data/[^/]+/checksums\.sha256",
    "report": r"report\.html",
}
# Read by `make status`; no result depends on it.
WITHOUT_EFFECT = {"attempts.json": r".*/attempts\.json"}


@dataclass(frozen=True)
class Kind:
    """One kind of kept file: those that match `pattern`; `read` reads `example` as the scripts do."""

    pattern: str
    example: str
    read: Callable[[Path], object]
    replacements: Mapping[str, Change] = field(default_factory=dict)


def test_set(*splits: str) -> object:
    lists = [RESULTS / f"data/{D}/{split}.txt" for split in splits or ("test",)]
    return read_slices([Path(line) for path in lists for line in path.read_text().splitlines()])


def read_set(path: Path) -> object:
    check_generated_with(path, RESULTS / f"runs/{RUN}/config.json")
    return read_generated(path, test_set())


def read_arguments(path: Path) -> argparse.Namespace:
    parser = slices_parser(None)
    parser.add_argument("--slices", nargs="+")
    return parser.parse_args(["--slices", f"@{path}"])


def read_weights(path: Path) -> object:
    check_trained_on(path, test_set())
    read_training_cost(path.with_name("config.json"))
    return load_denoiser(path.with_name("model.safetensors"), CPU)


def read_segmenter(path: Path) -> object:
    check_trained_on(path, test_set())
    return load_segmenter(path.with_name("model.safetensors"))


def read_encoder(path: Path) -> object:
    check_trained_on(path, test_set())
    return load_encoder(path.with_name("model.safetensors"))


def read_completer(path: Path) -> object:
    check_trained_on(path, test_set())
    return load_completer(path.with_name("model.safetensors"), 0)


def read_stages(_path: Path) -> object:
    run = RESULTS / f"runs/{D}/controlnet/seed0"
    earlier = EarlierStages(run / "autoencoder/model.safetensors", run / "latent/model.safetensors")
    for weights in (earlier.autoencoder, earlier.latent):
        check_trained_on(weights, test_set())
    return earlier.load(CPU), earlier.costs


def read_raw(_path: Path) -> object:
    both = "Segmentation_{patient}_Dense_and_Vessels.seg.nrrd"
    classes = [
        AnatomyClass(name="breast", file="Segmentation_{patient}_Breast.seg.nrrd", segment="Breast"),
        AnatomyClass(name="vessels", file=both, segment="Vessels"),
    ]
    source = PhantomSource(kind="phantom", size=32, slices=6)
    receipt = RESULTS / f"raw/{D}/receipts/tiny_1.json"
    return read_patient(source, classes, {"patient": "tiny_1"}, [receipt])


WEIGHTS_OTHERS: dict[str, Change] = {
    "model": copied(f"runs/{D}/segguided-mat/seed0/model.safetensors"),
    "model, weights alone": copied(f"runs/{D}/segguided-mat/seed0/model.safetensors", alone=True),
    "seed": of_seed_1(network_again),
    "classes": network_of_other_classes,
}
SEGMENTER_OTHERS: dict[str, Change] = {
    "model": copied(f"segmenters/{D}/spade/seed0/model.safetensors"),
    "seed": of_seed_1(network_again),
    "classes": network_of_other_classes,
}
ENCODER_OTHERS: dict[str, Change] = {
    "model": copied(f"segmenters/{D}/spade/seed0/model.safetensors"),
    "seed": of_seed_1(network_again),
    "classes": network_of_other_classes,
}
COMPLETER_OTHERS = ENCODER_OTHERS
STAGE_OTHERS: dict[str, Change] = {
    "stage": copied(f"runs/{D}/controlnet/seed0/model.safetensors"),
    "seed": of_seed_1(network_again),
    "classes": network_of_other_classes,
}


def config_alone(change: Mapping[str, Change], example: str) -> dict[str, Change]:
    """The same for config.json, and that of another model without its weights."""
    return {**change, "config.json alone": copied(example, alone=True)}


def variants(model: str) -> dict[str, Change]:
    return {"model": copied(model), "seed": of_seed_1(set_again), "classes": set_of_other_classes}


def read_free_set(path):
    """As figure 1 does."""
    images_NHW, _names = read_generated(path, test_set())
    read_seen_masks(path, images_NHW)


def read_variant_set(path: Path) -> object:
    return read_variants(path, test_set())


KINDS: dict[str, Kind] = {
    "slice file": Kind(
        r"slices/[^/]+/[^/]+\.npz",
        f"slices/{D}/tiny_1.npz",
        lambda _path: test_set("test"),
        {
            "patient": copied(f"slices/{D}/tiny_3.npz"),
            "dataset": copied(f"slices/{D}-t2/tiny_1.npz"),
            "classes": slices_of_other_classes,
        },
    ),
    "masks that are repeated": Kind(
        r"data/[^/]+/repeated\.npz",
        f"data/{D}/repeated.npz",
        lambda path: read_matching_slices(RESULTS / f"runs/{RUN}/model.safetensors", [path]),
        {"classes": slices_of_other_classes},
    ),
    "generated set": Kind(
        r"generated/.*\.npz",
        f"generated/{RUN}/test.npz",
        read_set,
        {
            "model": copied(f"generated/{D}/segguided-mat/seed0/test.npz"),
            "split": copied(f"generated/{RUN}/held-out.npz"),
            "seed": of_seed_1(set_again),
            "classes": set_of_other_classes,
            "weights": set_of_other_weights,
        },
    ),
    "set of partial masks": Kind(
        r"partial/.*\.npz",
        f"partial/{RUN}.npz",
        read_variant_set,
        variants(f"partial/{D}/segguided-mat/seed0.npz"),
    ),
    "set of adjustable similarity": Kind(
        r"similarity/.*\.npz",
        f"similarity/{D}/segguided-mat/seed0.npz",
        read_variant_set,
        variants(f"partial/{D}/segguided-mat/seed0.npz"),
    ),
    "set of rare cases": Kind(
        r"applications/rare/.*\.npz",
        f"applications/rare/{RUN}/generated.npz",
        lambda path: read_rare_set(path, test_set("held-out")),
        {
            "model": copied(f"generated/{RUN}/held-out.npz"),
            "seed": copied(f"applications/rare/{D}/segguided/seed1/generated.npz"),
            "classes": set_of_other_classes,
        },
    ),
    "set for paired images": Kind(
        r"applications/paired/.*\.npz",
        f"applications/paired/{D}/segguided-mat/seed0.npz",
        lambda path: read_generated(path, test_set("held-out", "test")),
        {
            "model": copied(f"generated/{RUN}/test.npz"),
            "seed": of_seed_1(set_again),
            "classes": set_of_other_classes,
        },
    ),
    "set of masks from nothing": Kind(
        r"free/.*\.npz",
        f"free/{D}/segguided-plus/seed0.npz",
        read_free_set,
        {
            "model": copied(f"applications/paired/{D}/segguided-mat/seed0.npz"),
            "seed": of_seed_1(set_again),
            "classes": set_of_other_classes,
        },
    ),
    "counterfactual set": Kind(
        r"applications/counterfactual/.*\.npz",
        f"applications/counterfactual/{RUN}.npz",
        lambda path: read_seen_variants(path, test_set()),
        variants(f"partial/{D}/segguided-mat/seed0.npz"),
    ),
    "translated set": Kind(
        r"applications/translation/.*\.npz",
        f"applications/translation/{D}-t2-to-{RUN}.npz",
        lambda path: read_generated(path, test_set()),
        {
            "model": copied(f"generated/{RUN}/test.npz"),
            "seed": of_seed_1(set_again),
            "classes": set_of_other_classes,
        },
    ),
    "weights of a model": Kind(
        r"runs/[^/]+/[^/]+/seed\d+/model\.safetensors",
        f"runs/{RUN}/model.safetensors",
        read_weights,
        WEIGHTS_OTHERS,
    ),
    "config.json of a model": Kind(
        r"runs/[^/]+/[^/]+/seed\d+/config\.json",
        f"runs/{RUN}/config.json",
        read_weights,
        config_alone(WEIGHTS_OTHERS, f"runs/{D}/spade/seed0/config.json"),
    ),
    "weights of a latent stage": Kind(
        r"runs/.*/(autoencoder|latent)/model\.safetensors",
        f"runs/{D}/controlnet/seed0/autoencoder/model.safetensors",
        read_stages,
        STAGE_OTHERS,
    ),
    "config.json of a latent stage": Kind(
        r"runs/.*/(autoencoder|latent)/config\.json",
        f"runs/{D}/controlnet/seed0/latent/config.json",
        read_stages,
        config_alone(STAGE_OTHERS, f"runs/{D}/controlnet/seed0/config.json"),
    ),
    "weights of a segmenter": Kind(
        r"(segmenters|applications/rare)/.*/model\.safetensors",
        f"segmenters/{D}/real/seed0/model.safetensors",
        read_segmenter,
        SEGMENTER_OTHERS,
    ),
    "config.json of a segmenter": Kind(
        r"(segmenters|applications/rare)/.*/config\.json",
        f"segmenters/{D}/real/seed0/config.json",
        read_segmenter,
        config_alone(SEGMENTER_OTHERS, f"runs/{D}/spade/seed0/config.json"),
    ),
    "weights of a perceptual network": Kind(
        r"perceptual/.*/model\.safetensors",
        f"perceptual/{D}/spade/seed0/model.safetensors",
        read_encoder,
        ENCODER_OTHERS,
    ),
    "config.json of a perceptual network": Kind(
        r"perceptual/.*/config\.json",
        f"perceptual/{D}/spade/seed0/config.json",
        read_encoder,
        config_alone(ENCODER_OTHERS, f"runs/{D}/spade/seed0/config.json"),
    ),
    "weights of a mask completer": Kind(
        r"completers/.*/model\.safetensors",
        f"completers/{D}/segguided-plus/seed0/model.safetensors",
        read_completer,
        COMPLETER_OTHERS,
    ),
    "config.json of a mask completer": Kind(
        r"completers/.*/config\.json",
        f"completers/{D}/segguided-plus/seed0/config.json",
        read_completer,
        config_alone(COMPLETER_OTHERS, f"runs/{D}/spade/seed0/config.json"),
    ),
    "evaluation record": Kind(
        r"metrics/.*\.json",
        f"metrics/{RUN}.json",
        lambda path: read_records([path]),
        {"model": copied(f"metrics/{D}/segguided-mat/seed0.json"), "seed": of_seed_1(record_again)},
    ),
    "table in CSV": Kind(
        r"(\.table\d\.csv\.sha256|table\d\.csv)",
        "table1.csv",
        read_csv,
        {"table": copied("table2.csv"), "table, without its checksum": copied("table2.csv", alone=True)},
    ),
    "checksum beside a text file": Kind(
        r"(.*/)?\.[^/]+\.sha256",
        ".table1.csv.sha256",
        lambda path: read_csv(path.with_name("table1.csv")),
        {"table": copied(".table2.csv.sha256", alone=True)},
    ),
    "splits.csv": Kind(
        r"data/[^/]+/splits\.csv",
        f"data/{D}/splits.csv",
        read_splits,
        {"dataset": listed_elsewhere("data/another/splits.csv")},
    ),
    "list of a split": Kind(
        r"data/[^/]+/(train|held-out|test)\.txt",
        f"data/{D}/test.txt",
        read_arguments,
        {"split": copied(f"data/{D}/held-out.txt"), "dataset": copied(f"data/{D}-t2/test.txt")},
    ),
    "similarity curve": Kind(
        r"((partial|similarity)/[^/]+|applications/counterfactual/.*)\.csv",
        f"similarity/{D}.csv",
        read_csv,
        {"dataset": listed_elsewhere("similarity/another.csv")},
    ),
    "receipt of a phantom": Kind(
        r"raw/[^/]+/receipts/.*\.json",
        f"raw/{D}/receipts/tiny_1.json",
        read_raw,
        {
            "patient": copied(f"raw/{D}/receipts/tiny_2.json"),
            "dataset": copied(f"raw/{D}-t2/receipts/tiny_1.json"),
        },
    ),
    "DICOM file of a phantom": Kind(
        r"raw/[^/]+/images/.*\.dcm",
        f"raw/{D}/images/tiny_1/*.dcm",
        read_raw,
        {"patient": copied(f"raw/{D}/images/tiny_2/*.dcm")},
    ),
    "mask of a phantom": Kind(
        r"raw/[^/]+/Segmentation_Masks_NRRD/.*\.seg\.nrrd",
        f"raw/{D}/Segmentation_Masks_NRRD/tiny_1/*Breast.seg.nrrd",
        read_raw,
        {"patient": copied(f"raw/{D}/Segmentation_Masks_NRRD/tiny_2/*Breast.seg.nrrd")},
    ),
}
OTHER_READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "weights of SPADE": (
        f"runs/{D}/spade/seed0/model.safetensors",
        lambda path: load_generator(path, CPU),
    ),
    "weights of a ControlNet": (
        f"runs/{D}/controlnet/seed0/model.safetensors",
        lambda path: load_pipeline(path, CPU),
    ),
}


def kinds_of(name: str) -> list[str]:
    """The kinds that a file of the results, by its path there, belongs to."""
    every = {name: kind.pattern for name, kind in KINDS.items()} | UNREAD | WITHOUT_EFFECT
    return [kind for kind, pattern in every.items() if re.fullmatch(pattern, name)]
