"""Which rules a change of the library reruns, room by room: those whose digest covers a file of the room."""

import re
from functools import cache
from pathlib import Path

import pytest

from segguided.planning.dependencies import dependencies

ROOT = Path(__file__).parents[2]
LIBRARY = Path("segguided")


@cache
def rules() -> frozenset[str]:
    """The names of all rules that run a script."""
    texts = [path.read_text() for path in (ROOT / "workflow").rglob("*.smk")]
    names = {
        name
        for text in texts
        for name in re.findall(r"^(?:use )?rule .*?(\w+)(?: with)?:$", text, re.MULTILINE)
    }
    return frozenset(name for name in names if (ROOT / "scripts" / f"{name}.py").is_file())


@cache
def files_of(rule: str) -> frozenset[Path]:
    """The library files that the rule's digest covers, relative to scripts/segguided."""
    scripts = ROOT / "scripts"
    files = (path.relative_to(scripts) for path in dependencies(scripts / f"{rule}.py"))
    # An __init__.py holds a docstring, so no change of it reruns anything.
    return frozenset(
        file.relative_to(LIBRARY) for file in files if LIBRARY in file.parents and file.stem != "__init__"
    )


def reached(room: str) -> set[str]:
    """The rules whose digest covers a file of a room, or of a room within it."""
    return {rule for rule in rules() if any(file.is_relative_to(room) for file in files_of(rule))}


def named(pattern: str) -> set[str]:
    """The rules whose names match."""
    return {rule for rule in rules() if re.fullmatch(pattern, rule)}


TRAIN = named("train_.*")
GENERATE = named("generate_.*|translate_masks|translate_images")
MEASURE = named("measure_.*|evaluate_model")
FIGURES = named(r"draw_figure\d|draw_overview|draw_showcase|draw_translation|draw_counterfactual")
FETCH = named("fetch_.*")
# What reads weights, and so the rooms that say how networks are stored and built.
NETWORKS = TRAIN | GENERATE | MEASURE | {"import_model", "export_model", "export_program", "time_training"}
SLICES = (
    NETWORKS | FIGURES | {"write_run"} | {"prepare_patient", "split_dataset", "gather_images", "pair_images"}
)
SLICES |= {"repeat_masks", "export_layout", "write_datacard", "write_phantom"}
# Rules that generate with a model of any kind.
ANY_MODEL = {"generate_partial", "generate_paired"}
CONTROLNET = {"train_autoencoder", "train_latent_diffusion", "train_controlnet", "generate_controlnet"}
CONTROLNET |= ANY_MODEL
COMPARES = {"make_ablation", "draw_ablation", "draw_sweep"}  # numbers of records alone
COPIES = {"export_layout", "fetch_package", "fetch_series", "gather_images", "pair_images"}
SAMPLES = GENERATE - {"generate_controlnet", "generate_regression", "generate_spade"}
# What builds a denoiser, or, of SPADE, what may begin with one's weights.
DENOISERS = SAMPLES | {"generate_regression", "import_model", "export_model", "export_program"}
DENOISERS |= {"train_diffusion", "train_regression", "train_spade", "time_training"}
SHOWN_VARIANTS = {"draw_figure3", "draw_figure4", "draw_figure6"}
RULES_OF = {
    "config": rules() - {"fetch_package", "fetch_series", "draw_run"},
    "data": rules() - {"make_table", "draw_table", "draw_run", "write_reproduction"} - COMPARES,
    "data/formats": (SLICES | FETCH) - {"write_phantom"},
    "data/formats/dicom": {"prepare_patient", "fetch_series"},
    "data/download": FETCH | CONTROLNET | {"prepare_patient", "write_phantom"},
    "data/datasets": {"prepare_patient", "write_phantom", "fetch_series", "fetch_volume"},
    "training": NETWORKS | {"write_run"},
    "models": NETWORKS,
    "models/on_cpu": NETWORKS,
    "models/controlnet": CONTROLNET,
    "models/completer": DENOISERS | {"train_completer"},  # its networks draw tissues, too
    "models/tissues": DENOISERS,
    "models/losses": {"train_diffusion", "train_spade", "time_training"},
    "models/partial_labels": MEASURE | DENOISERS | {"train_segmenter", "train_augmented", "train_completer"},
    "models/fine_tuning": {"train_diffusion", "train_regression", "train_spade"},
    "generation": GENERATE | SHOWN_VARIANTS | {"gather_images", "pair_images"}
    | {"export_model", "export_program"}
    | {"repeat_masks", "evaluate_model", "time_training"}
    | {"measure_partial", "measure_similarity", "measure_translation", "draw_translation"}
    | {"measure_counterfactual", "draw_counterfactual"},
    "generation/near_real": {f"{verb}_counterfactual" for verb in ("generate", "measure", "draw")}
    | {"translate_images"},
    "generation/samplers": SAMPLES | {"export_model", "export_program", "time_training"},
    "generation/masks": SAMPLES | {"export_model", "export_program", "time_training"},
    "evaluation": MEASURE | COMPARES | {"make_table", "draw_table", "draw_figure4", "time_training"}
    | {"draw_counterfactual", "write_reproduction"},
    "evaluation/likeness": {"evaluate_model", "measure_similarity", "make_table", "draw_table"}
    | {"write_reproduction"},
    "figures": FIGURES | {"draw_table", "draw_ablation", "draw_sweep", "draw_run"},
    "tables": {"make_table", "draw_table", "write_datacard", "make_ablation", "draw_sweep"}
    | {"draw_counterfactual", "write_reproduction"},
    "describe": {"draw_overview", "write_datacard"},
    "app": {"write_run"},
    "app/start": set(),
    "exports": {"export_layout", "export_model", "export_program"},
    "status": {"draw_run"},
    "status/timeline": {"draw_run"},
    "planning": set(),
}  # fmt: skip


@pytest.mark.parametrize("room", RULES_OF)
def test_a_rooms_files_rerun_these_rules(room):
    assert reached(room) == RULES_OF[room]


def test_each_room_is_in_the_table():
    root = ROOT / "scripts" / LIBRARY
    rooms = {path.parent.relative_to(root).as_posix() for path in root.rglob("__init__.py")} - {"."}
    assert {room for room in rooms if room.partition("/")[0] != "config"} == set(RULES_OF) - {"config"}


@pytest.mark.parametrize("room", ["generation", "evaluation", "figures", "tables", "describe", "exports"])
def test_a_room_after_training_retrains_nothing(room):
    assert not reached(room) & TRAIN


@pytest.mark.parametrize("room", ["evaluation", "figures", "tables", "describe"])
def test_a_room_after_generation_generates_nothing(room):
    assert not reached(room) & GENERATE


@pytest.mark.parametrize("room", ["figures", "tables", "describe", "exports"])
def test_a_room_that_shows_measures_nothing(room):
    assert not reached(room) & MEASURE


@pytest.mark.parametrize("room", ["data/download", "data/datasets", "status", "planning"])
def test_getting_and_watching_data_draws_and_measures_nothing(room):
    assert not reached(room) & (FIGURES | MEASURE)


def test_the_verbs_of_all_rules_are_known():
    others = {"split_dataset", "list_split", "prepare_patient", "gather_images", "pair_images", "make_table"}
    others |= {
        "repeat_masks",
        "draw_table",
        "write_datacard",
        "write_phantom",
        "import_model",
        "export_model",
        "export_program",
        "export_layout",
    }
    others |= {"time_training", "write_run", "draw_run", "write_reproduction"}
    assert rules() == TRAIN | GENERATE | MEASURE | FIGURES | FETCH | COMPARES | others
