"""Every kind of file that a run keeps in its results, how it is read, and other valid files in its place.

The tests hold workflow/docs/damage.md against this table, and this table against a finished run.
"""

import argparse
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from segguided.card_facts import read_splits
from segguided.cli import slices_parser
from segguided.config.data import AnatomyClass, PhantomSource
from segguided.data.npz import map_npz, write_npz
from segguided.data.slices import Stack, read_generated, read_slices, read_stack, write_stack
from segguided.data.sources import read_patient
from segguided.models import drawing
from segguided.models.controlnet_drawing import load_pipeline
from segguided.models.segmenter import load_segmenter
from segguided.models.spade_drawing import load_generator
from segguided.models.stages import Earlier
from segguided.models.storage import check_drawn_with, check_trained_on
from segguided.records import read_training_cost
from segguided.seals import archive_facts, read_sealed, sidecar, write_listed, write_sealed
from segguided.table_csv import read_csv
from segguided.table_inputs import read_records
from segguided.variants import read_variants

D, RUN = "breast-phantom", "breast-phantom/segguided/seed0"
RESULTS = Path("results")
CPU = torch.device("cpu")
Change = Callable[[Path], None]  # puts something else in a file's place

# Made for people and other programs; no rule and no script of this project reads them.
UNREAD = {
    "pictures": r".*\.(png|pdf)",
    "tables in Markdown, data cards": r".*\.md",
    "paired images": r"applications/paired/.*\.zip",
    "measurements": r"(partial/[^/]+|applications/.*)\.csv",
    "histories": r".*/history\.csv",
    "checksums of a data card": r"data/[^/]+/checksums\.sha256",
}
# Read, but no result depends on it.
TOLD = {"attempts.json": r".*/attempts\.json"}


@dataclass(frozen=True)
class Kind:
    """One kind of kept file: those that match `pattern`; `read` reads `example` as the scripts do."""

    pattern: str
    example: str
    read: Callable[[Path], object]
    others: Mapping[str, Change] = field(default_factory=dict)


def companions(path: Path) -> list[Path]:
    """The files that belong to `path` and would come with it."""
    together = {path, sidecar(path)}
    if path.name in ("model.safetensors", "config.json"):
        together |= {path.with_name("model.safetensors"), path.with_name("config.json")}
    return sorted(together)


def copied(name: str, *, alone: bool = False) -> Change:
    """Another file of the run (a pattern) in its place, with what belongs to it unless `alone`."""

    def change(path: Path) -> None:
        source = RESULTS / first_of(name)
        pairs = [(source, path)] if alone else zip(companions(source), companions(path), strict=True)
        for one, target in pairs:
            if one.is_file():
                shutil.copy(one, target)

    return change


def of_seed_1(write: Callable[[Path, Path], None]) -> Change:
    """The same file as another seed's run would have written it; `write` gets the source and the target."""

    def change(path: Path) -> None:
        other = Path(str(path).replace("seed0", "seed1"))
        write(path, other)
        for one, target in zip(companions(other), companions(path), strict=True):
            if one.is_file():
                one.replace(target)

    return change


def set_again(path: Path, other: Path, **facts: str) -> None:
    """Write a set again, with other facts or to another place."""
    told = {name: value for name, value in archive_facts(path).items() if name != "place"}
    arrays = {name: np.array(array) for name, array in map_npz(path).items()}
    write_npz(other, {**told, **facts}, **arrays)


def network_again(path: Path, other: Path, **told: str) -> None:
    """Write a config.json again, with other entries or to another place, its weights beside it."""
    other.parent.mkdir(parents=True, exist_ok=True)
    if other.parent != path.parent:
        shutil.copy(path.with_name("model.safetensors"), other.with_name("model.safetensors"))
    write_sealed(other.with_name("config.json"), {**read_sealed(path.with_name("config.json")), **told})


def set_of_other_classes(path: Path) -> None:
    set_again(path, path, preparation="another")


def set_of_other_weights(path: Path) -> None:
    set_again(path, path, weights="0" * 64)


def network_of_other_classes(path: Path) -> None:
    network_again(path, path, preparation="another")


def slices_of_other_classes(path: Path) -> None:
    """The patient prepared with classes 1 and 2 exchanged."""
    stack = read_stack(path)
    masks = np.array([0, 2, 1, 3], np.uint8)[stack.masks_SHW]
    provenance = {**stack.provenance, "preparation": "another"}
    write_stack(path, Stack(stack.patient, stack.images_SHW, masks, stack.positions_S, provenance))


def record_again(path: Path, other: Path) -> None:
    write_sealed(other, read_sealed(path))


def listed_elsewhere(name: str) -> Change:
    """The same text, as it was written for another place."""

    def change(path: Path) -> None:
        other = RESULTS / name
        write_listed(other, path.read_text())
        for one, target in zip(companions(other), companions(path), strict=True):
            one.replace(target)

    return change


def test_set(split: str = "test") -> object:
    lines = (RESULTS / f"data/{D}/{split}.txt").read_text().splitlines()
    return read_slices([Path(line) for line in lines])


def read_set(path: Path) -> object:
    check_drawn_with(path, RESULTS / f"runs/{RUN}/config.json")
    return read_generated(path, test_set())


def read_arguments(path: Path) -> argparse.Namespace:
    parser = slices_parser(None)
    parser.add_argument("--slices", nargs="+")
    return parser.parse_args(["--slices", f"@{path}"])


def read_weights(path: Path) -> object:
    check_trained_on(path, test_set())
    read_training_cost(path.with_name("config.json"))
    return drawing.load_denoiser(path.with_name("model.safetensors"), CPU)


def read_segmenter(path: Path) -> object:
    check_trained_on(path, test_set())
    return load_segmenter(path.with_name("model.safetensors"))


def read_stages(_path: Path) -> object:
    run = RESULTS / f"runs/{D}/controlnet/seed0"
    earlier = Earlier(run / "autoencoder/model.safetensors", run / "latent/model.safetensors")
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


def first_of(pattern: str) -> str:
    return sorted(path.relative_to(RESULTS).as_posix() for path in RESULTS.glob(pattern))[0]


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
        f"applications/rare/{RUN}/drawn.npz",
        lambda path: read_generated(path, test_set("held-out")),
        {
            "model": copied(f"generated/{RUN}/held-out.npz"),
            "seed": of_seed_1(set_again),
            "classes": set_of_other_classes,
        },
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
        r"(segmenters|perceptual|applications/rare)/.*/model\.safetensors",
        f"segmenters/{D}/real/seed0/model.safetensors",
        read_segmenter,
        SEGMENTER_OTHERS,
    ),
    "config.json of a segmenter": Kind(
        r"(segmenters|perceptual|applications/rare)/.*/config\.json",
        f"segmenters/{D}/real/seed0/config.json",
        read_segmenter,
        config_alone(SEGMENTER_OTHERS, f"runs/{D}/spade/seed0/config.json"),
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
        r"similarity/[^/]+\.csv",
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
    every = {name: kind.pattern for name, kind in KINDS.items()} | UNREAD | TOLD
    return [kind for kind, pattern in every.items() if re.fullmatch(pattern, name)]


def damages(path: Path, seed: int = 0, bytes_changed: int = 12) -> Iterator[tuple[str, Change]]:
    """Truncated, some other byte, empty: what may become of a file at rest, each with a name."""
    size, draw = path.stat().st_size, random.Random(f"{path.name}/{seed}")
    for kept in (size // 2, size - 1):
        yield f"truncated to {kept}", lambda one, kept=kept: _write(one, one.read_bytes()[:kept])
    for place in (0, size - 1, *(draw.randrange(size) for _ in range(bytes_changed))):
        bit = 1 << draw.randrange(8)
        yield f"byte {place} ^ {bit}", lambda one, place=place, bit=bit: _flip(one, place, bit)
    yield "empty", lambda one: _write(one, b"")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(content)


@contextmanager
def changed(path: Path, change: Change) -> Iterator[None]:
    """With `change` made to `path`; afterwards it and what belongs to it are as before."""
    before = {one: one.read_bytes() for one in companions(path) if one.is_file()}
    try:
        change(path)
        yield
    finally:
        for one in companions(path):
            one.unlink(missing_ok=True)
        for one, content in before.items():
            one.write_bytes(content)


def outcome(path: Path, read: Callable[[Path], object]) -> str:
    """The sentence that reading ends with; empty where it ends with none. Other errors are defects."""
    try:
        read(path)
    except (ValueError, OSError) as error:
        return str(error)
    return ""
