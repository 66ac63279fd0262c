"""What a change reruns: the table of workflow/docs/reruns.md, row by row, with files as large as real ones.

Snakemake compares files above a limit by their times alone, so small files would prove nothing. Here slices
are 256×256, really sliced, and every other large output is a stand-in of random bytes, recorded by `--touch`
as the output of its job: what is planned depends on records, sizes and contents, not on what a file means.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support.miniature import ARGUMENTS, MINIATURE, copy_repository, jobs_of, snakemake

LARGE = "workflow/large.yaml"
SETTINGS = """datasets:
  breast-phantom: {image_size: 256, source: {slices: 12}}
  breast-phantom-t2: {image_size: 256, source: {slices: 12}}
"""
CONFIGURATION = ("--configfile", MINIATURE, LARGE)
ALL = ("all", "applications")
BYTES = 1_100_000  # above Snakemake's own limit
SLICES = "results/slices/breast-phantom"
SPLITS = "results/data/breast-phantom/splits.csv"


def run(repository, *arguments):
    """A run's result, which must be a success."""
    result = snakemake(repository, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def planned(repository, *arguments):
    """How many jobs of each rule a dry-run would run."""
    jobs = jobs_of(run(repository, "-n", *ALL, *CONFIGURATION, *arguments))
    return {name: count for name, count in jobs.items() if name not in ALL}


@pytest.fixture(scope="module")
def sliced(tmp_path_factory):
    """The repository after its data were sliced and listed."""
    repository = copy_repository(tmp_path_factory.mktemp("large"))
    (repository / LARGE).write_text(SETTINGS)
    run(repository, *ALL, *CONFIGURATION, "--until", "prepare_patient", "list_split", *ARGUMENTS)
    assert all(path.stat().st_size > BYTES for path in (repository / SLICES).iterdir())
    return repository


@pytest.fixture(scope="module")
def done(sliced):
    """The same after a whole run, as far as Snakemake can tell."""
    summary = run(sliced, *ALL, *CONFIGURATION, "--summary").stdout.splitlines()
    for line in summary[1:]:
        path = sliced / line.split("\t")[0]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(BYTES if path.suffix in (".npz", ".safetensors", ".zip") else 99))
    run(sliced, *ALL, *CONFIGURATION, "--touch", "--forceall", "--cores", "1")
    assert planned(sliced) == {}
    return sliced


@pytest.mark.parametrize(
    "profile",
    [
        ("--cores", "1"),
        ("--profile", "workflow/profiles/demo", "--cores", "1"),
        ("--workflow-profile", "none", "--cores", "1"),
    ],
    ids=["no-profile", "demo", "none-at-all"],
)
def test_large_inputs_are_compared_by_content_from_the_first_run_on(sliced, profile):
    (sliced / SPLITS).unlink(missing_ok=True)
    assert jobs_of(run(sliced, SPLITS, *CONFIGURATION, *profile)) == {"split_dataset": 1}
    path = sliced / SLICES / "tiny_1.npz"
    path.touch()
    assert jobs_of(run(sliced, "-n", SPLITS, *CONFIGURATION, *profile)) == {}
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert jobs_of(run(sliced, "-n", SPLITS, *CONFIGURATION, *profile)) == {"split_dataset": 1}
    path.write_bytes(content)


def touch_a_slice_file(repository):
    (repository / SLICES / "tiny_1.npz").touch()


def touch_every_output(repository):
    """In an order in which slices are newer than weights, and these than images."""
    earlier = time.time() - 1000
    for seconds, path in enumerate(sorted((repository / "results").rglob("*"))):
        os.utime(path, (earlier + seconds, earlier + seconds))


def slice_again(repository):
    (repository / SLICES / "tiny_1.npz").unlink()
    run(repository, f"{SLICES}/tiny_1.npz", *CONFIGURATION, *ARGUMENTS)


@pytest.mark.parametrize("change", [touch_a_slice_file, touch_every_output, slice_again])
def test_the_same_bytes_rerun_nothing(done, change):
    change(done)
    assert planned(done) == {}


def test_a_copy_elsewhere_reruns_nothing(done, tmp_path):
    subprocess.run(["cp", "-r", done, tmp_path / "copy"], check=True)
    assert planned(tmp_path / "copy") == {}


TABLES = {"make_table": 3, "draw_table": 3, "write_reproduction": 1}
PARTIAL_FIGURES = {"draw_figure3": 1, "draw_figure6": 1}
FIGURES = {"draw_figure2": 1, "draw_figure5": 1, "draw_showcase": 1}
ALL_FIGURES = {"draw_figure1": 1, **FIGURES}
MEASURED_PARTIAL = {"measure_partial": 1, "write_reproduction": 1, **PARTIAL_FIGURES}
MEASURED_SIMILARITY = {"measure_similarity": 1, "draw_figure4": 1, "write_reproduction": 1}
PARTIAL = {"generate_partial": 3, **MEASURED_PARTIAL}
SIMILARITY = {"generate_similar": 1, **MEASURED_SIMILARITY}
RARE = {"generate_rare": 2, "train_augmented": 2, "measure_rare": 1}  # two seeds
PAIRED = {"generate_paired": 1, "pair_images": 1}
TRANSLATION = {"translate_masks": 1, "measure_translation": 1, "draw_translation": 1}
TRANSLATED_IMAGES = {**TRANSLATION, "translate_images": 1}
TRANSLATED_IMAGES.pop("translate_masks")
COUNTERFACTUAL = {"generate_counterfactual": 1, "measure_counterfactual": 1, "draw_counterfactual": 1}
DESCRIBED = {"split_dataset": 1, "write_datacard": 1}
DIFFUSION = {"generate_diffusion": 4, **PARTIAL, **RARE, **PAIRED, **TRANSLATION}
SEGMENTERS = {
    "train_segmenter": 8,  # that of the real images with both seeds of the rare cases
    "evaluate_model": 7,
    **TABLES,
    "measure_partial": 1,
    **MEASURED_SIMILARITY,
}
SEGMENTERS |= {"train_augmented": 2, "measure_rare": 1, "measure_translation": 1}
SEGMENTERS |= {"measure_counterfactual": 1, "draw_counterfactual": 1}


def worth(models, figures=ALL_FIGURES):
    """What follows from other images of so many models; figure 1 shows segguided, unconditional and free."""
    return {"train_segmenter": models, "evaluate_model": models, **TABLES, **figures}


def renamed(repository):
    """The first class of both datasets has another name."""
    path = repository / MINIATURE
    path.write_text(path.read_text().replace("name: breast,", "name: gland,").replace("[breast]", "[gland]"))


def edit(file, text="\nEDITED = True\n"):
    """A change of a library file that may mean something."""

    def appended(repository):
        with (repository / file).open("a") as opened:
            opened.write(text)

    return appended


def reword(*files):
    """What people read in files: a comment, a docstring, and a message if the file logs or raises any."""

    def reworded(repository):
        for path in (repository / file for file in files):
            text = re.sub(r'^"""', '"""In short: ', path.read_text(), count=1)
            text = re.sub(r'((?:LOG\.info|raise \w+)\(\s*f?")', r"\1in short: ", text)
            path.write_text(f"# reworded\n{text}\n\n# reworded\n")

    return reworded


def add_column(repository):
    path = repository / "workflow/manifests/miniature.tsv"
    path.write_text(path.read_text().replace("\n", "\tseen\n"))


def of_dataset(values):
    """The same for both datasets, which share their classes."""
    return f"datasets={{breast-phantom: {values}, breast-phantom-t2: {values}}}"


FILE = "Segmentation_{patient}_Breast.seg.nrrd"
OTHER = "Segmentation_{patient}_Dense_and_Vessels.seg.nrrd"
COLOURED = (
    f'[{{name: breast, color: green, file: "{FILE}", segment: Breast}},'
    f' {{name: vessels, color: red, file: "{OTHER}", segment: Vessels}},'
    f' {{name: FGT, color: blue, file: "{OTHER}", segment: Dense}}]'
)
TITLED = (
    COLOURED.replace("green", "white")
    .replace("name: breast,", 'name: breast, title: "Breast, whole",')
    .replace("name: FGT,", 'name: FGT, title: "Fibroglandular tissue",')
)
CONTROLNET = {"generate_controlnet": 1, **worth(1, FIGURES)}
ROWS = {
    # Nothing at all.
    "two GPUs": (("--set-resources", "train_diffusion:gpu=2", "train_segmenter:gpu=2"), {}),
    "more threads": (("--set-threads", "train_diffusion=3", "generate_spade=2"), {}),
    "seconds between checkpoints": (("--config", "checkpoint_seconds=60"), {}),
    "previews and event files": (("--config", "preview_every=5", "tensorboard=true"), {}),
    "compiled networks": (("--config", "compile=true"), {}),
    "deterministic kernels": (("--config", "deterministic=true"), {}),
    "a model outside the grid": (
        (
            "--config",
            "models={other: {kind: imported, title: Other, folder: nowhere, conditioning: none}}",
        ),
        {},
    ),
    "another library file": (edit("scripts/segguided/config/workflow.py"), {}),
    "comments, docstrings and messages of the library": (
        reword(*(f"scripts/segguided/training/{name}.py" for name in ("loop", "checkpoint", "launch"))),
        {},
    ),
    "comments and docstrings of scripts": (
        reword(*(f"scripts/{name}.py" for name in ("train_diffusion", "prepare_patient", "draw_figure1"))),
        {},
    ),
    "the code of a script": (edit("scripts/draw_figure1.py"), {"draw_figure1": 1}),
    # What is shown.
    "a class's name": (
        renamed,
        {
            **DESCRIBED,
            "draw_overview": 1,
            "evaluate_model": 7,
            **TABLES,
            **ALL_FIGURES,
            **MEASURED_PARTIAL,
            **MEASURED_SIMILARITY,
            "measure_rare": 1,
            "pair_images": 1,
            "measure_translation": 1,
            "draw_translation": 1,
            "measure_counterfactual": 1,
            "draw_counterfactual": 1,
        },
    ),
    "a class's colour": (
        ("--config", of_dataset(f"{{classes: {COLOURED}}}")),
        {
            "draw_overview": 1,
            **ALL_FIGURES,
            **PARTIAL_FIGURES,
            "draw_figure4": 1,
            "draw_translation": 1,
            "draw_counterfactual": 1,
        },
    ),
    "a class's title": (
        ("--config", of_dataset(f"{{classes: {TITLED}}}")),
        {
            "draw_overview": 1,
            "write_datacard": 1,
            **TABLES,
            **ALL_FIGURES,
            **PARTIAL_FIGURES,
            "draw_figure4": 1,
            "draw_translation": 1,
            "draw_counterfactual": 1,
        },
    ),
    "a model's title": (
        ("--config", "models={segguided: {title: Another}}"),
        {**TABLES, **FIGURES, "draw_figure3": 1},
    ),
    "which masks figures show": (
        ("--config", "figures={seed: 1}"),
        {"draw_figure2": 1, "draw_figure5": 1},
    ),
    "the paper's column": (("--config", "datasets={breast-phantom: {paper_column: ct-organ}}"), TABLES),
    "licence, citation and address": (
        ("--config", "datasets={breast-phantom: {about: {licence: CC0, citation: c, url: u}}}"),
        {"write_datacard": 1},
    ),
    "another column of the patient table": (add_column, {"write_datacard": 1}),
    # What is generated.
    "sampling.steps": (
        ("--config", "sampling={steps: 3}"),
        # segguided-plus samples in a way of its own
        {"generate_controlnet": 1, **DIFFUSION, "generate_diffusion": 3, "generate_partial": 2, **worth(4)},
    ),
    "sampling.batch_size": (
        ("--config", "sampling={batch_size: 7}"),
        {
            "generate_controlnet": 1,
            "generate_spade": 1,
            "generate_free": 1,
            **DIFFUSION,
            **SIMILARITY,
            **COUNTERFACTUAL,
            "translate_images": 1,
            **worth(6),
        },
    ),
    "the first partial mask": (
        ("--config", "datasets={breast-phantom: {partial_masks: [[FGT], [breast]]}}"),
        {**PARTIAL, **SIMILARITY, **PAIRED},
    ),
    "the second partial mask": (
        ("--config", "datasets={breast-phantom: {partial_masks: [[vessels, FGT], [FGT]]}}"),
        PARTIAL,
    ),
    "the rare class": (("--config", "datasets={breast-phantom: {rare_class: FGT}}"), RARE),
    "samples of partial masks": (("--config", "partial_masks={samples_per_mask: 3}"), PARTIAL),
    "the lambdas of figure 4": (("--config", "similarity={lambdas: [0.5, 1]}"), SIMILARITY),
    "a counterfactual's distance": (
        ("--config", "applications={counterfactuals: {distance: 0.05}}"),
        COUNTERFACTUAL,
    ),
    "where translations start": (
        ("--config", "applications={translation_start: {share: 0.5}}"),
        TRANSLATED_IMAGES,
    ),
    "the class that is edited": (
        ("--config", "applications={counterfactuals: {classes: {breast-phantom: vessels}}}"),
        COUNTERFACTUAL,
    ),
    "images of rare cases": (("--config", "applications={rare: {images: 6}}"), RARE),
    "how far new masks are from real ones": (("--config", "applications={rare: {deformation: 0.05}}"), RARE),
    "whether masks may be mirrored": (
        ("--config", "datasets={breast-phantom: {mirror: false}}"),
        {
            **RARE,
            "train_completer": 1,
            "generate_partial": 1,
            "generate_free": 1,
            "draw_figure1": 1,
            **MEASURED_PARTIAL,
            "evaluate_model": 1,  # the tables count the completer's operations
            **TABLES,
        },
    ),
    "a seed of rare cases more": (
        ("--config", "applications={rare: {seeds: [0, 1, 2]}}"),
        {"train_segmenter": 1, "generate_rare": 1, "train_augmented": 1, "measure_rare": 1},
    ),
    # What is trained.
    "segmenter": (("--config", "segmenter={training: {learning_rate: 0.02}}"), SEGMENTERS),
    "a value of one model": (
        ("--config", "models={unconditional: {training: {learning_rate: 0.02}}}"),
        {"train_diffusion": 1, "generate_diffusion": 1, **worth(1)},
    ),
    "SPADE's losses": (
        ("--config", "models={spade: {losses: {perceptual: 5}}}"),
        {"train_spade": 1, "generate_spade": 1, **worth(1, FIGURES)},
    ),
    "the first stage of ControlNet": (
        ("--config", "models={controlnet: {autoencoder: {kl_weight: 0.1}}}"),
        {"train_autoencoder": 1, "train_latent_diffusion": 1, "train_controlnet": 1, **CONTROLNET},
    ),
    "its second stage": (
        ("--config", "models={controlnet: {latent: {prediction_type: epsilon}}}"),
        {"train_latent_diffusion": 1, "train_controlnet": 1, **CONTROLNET},
    ),
    "its last stage": (
        ("--config", "models={controlnet: {control: {sd_locked: true}}}"),
        {"train_controlnet": 1, **CONTROLNET},
    ),
    # What is measured.
    "evaluation.halves_seed": (
        ("--config", "evaluation={halves_seed: 1}"),
        {**SEGMENTERS, **DESCRIBED},
    ),
    "evaluation.measuring_half_only": (
        ("--config", "evaluation={measuring_half_only: true}"),
        {"evaluate_model": 7, **TABLES, **PARTIAL, **SIMILARITY, **COUNTERFACTUAL, "measure_translation": 1},
    ),
    "evaluation.kernel_seed": (
        ("--config", "evaluation={kernel_seed: 1}"),
        {"evaluate_model": 7, **TABLES},
    ),
    "a library file of the evaluation alone": (
        edit("scripts/segguided/evaluation/likeness/distances.py"),
        {"evaluate_model": 7, **TABLES},
    ),
    "a library file of SPADE's generation alone": (
        edit("scripts/segguided/generation/spade.py"),
        # Partial masks and pairs are of any model, but none of this run's is a SPADE.
        {"generate_spade": 1, **worth(1, FIGURES)},
    ),
    "the code of a generating script": (
        edit("scripts/generate_spade.py"),
        {"generate_spade": 1, **worth(1, FIGURES)},
    ),
    "the code of a script whose rule inherits": (edit("scripts/draw_figure6.py"), {"draw_figure6": 1}),
    # What is run.
    "a model less in the grid": (
        ("--config", "grid={models: [controlnet, spade, segguided-mat, segguided, segguided-plus]}"),
        {**TABLES, **ALL_FIGURES},  # in figure 1 segguided-plus takes the place of the paper's two
    ),
    "a seed more in the grid": (
        ("--config", "grid={seeds: [0, 1]}"),
        {
            "train_autoencoder": 1,
            "train_latent_diffusion": 1,
            "train_controlnet": 1,
            "train_diffusion": 4,
            "train_perceptual": 1,
            "train_spade": 1,
            "generate_controlnet": 1,
            "generate_diffusion": 4,
            "generate_spade": 1,
            "train_segmenter": 6,  # that of the real images is there for the rare cases
            "evaluate_model": 7,
            **TABLES,
        },
    ),
    "the number of shards": (
        ("--set-scatter", "generation=3"),
        {
            **worth(6),
            "generate_controlnet": 3,
            "generate_diffusion": 12,
            "generate_spade": 3,
            "gather_images": 6,
        },
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_exactly_what_a_change_decides_is_planned(done, row):
    change, expected = ROWS[row]
    with edited(done, change) if callable(change) else contextlib.nullcontext():
        assert planned(done, *(() if callable(change) else change)) == expected


@contextlib.contextmanager
def edited(repository, change):
    """The change, taken back afterwards."""
    kept = [repository / part for part in ("workflow", "scripts")]
    for folder in kept:
        shutil.copytree(folder, folder.with_suffix(".kept"), symlinks=True)
    try:
        change(repository)
        yield
    finally:
        for folder in kept:
            shutil.rmtree(folder)
            folder.with_suffix(".kept").rename(folder)


def test_patients_that_change_places_are_listed_and_trained_on_again(done):
    """Of a random split; the slices stay."""
    jobs = planned(done, "--config", "datasets={breast-phantom: {split: {seed: 1, held_out: 1, test: 2}}}")
    assert {"list_split", "train_diffusion", "split_dataset"} <= set(jobs)
    assert "prepare_patient" not in jobs


def test_a_patient_moved_to_the_held_out_ones_trains_no_generative_model(done):
    """A column says who trains; a test patient becomes a held-out one."""
    lists = (done / "results/data/breast-phantom").glob("*.txt")
    split = {Path(line).stem: path.stem for path in lists for line in path.read_text().splitlines()}
    moved = next(patient for patient, where in split.items() if where == "test")
    rows = "".join(f"{p}\t{'held-out' if p == moved else s}\n" for p, s in sorted(split.items()))

    def move(repository):
        (repository / "workflow/manifests/miniature.tsv").write_text(f"patient\tsplit\n{rows}")
        path = repository / MINIATURE
        path.write_text(path.read_text().replace("    split: {seed: 0, held_out: 1, test: 2}\n", ""))

    with edited(done, move):
        jobs = planned(done)
    assert jobs["list_split"] == 3, "held-out and test here, test of the other contrast"
    assert {"generate_spade", "train_segmenter", "split_dataset"} <= set(jobs)
    training = {name for name in jobs if name.startswith("train_")}
    assert training == {"train_segmenter", "train_augmented"}


def test_touch_accepts_existing_results_after_the_library_changed(done):
    """As workflow/docs/reruns.md says. It leaves behind an edited file, which the records then name."""
    edit("scripts/segguided/training/loop.py")(done)
    assert {"train_diffusion", "generate_diffusion"} <= set(planned(done))
    run(done, *ALL, *CONFIGURATION, "--touch", "--cores", "1")
    assert planned(done) == {}


def test_slicing_first_and_alone_trains_nothing_where_it_gives_the_same_bytes(done):
    """The last test here: it leaves an edited file behind. A plan of all at once cannot know the bytes."""
    edit("scripts/segguided/data/slicing.py")(done)
    assert {"prepare_patient", "train_diffusion", "train_spade"} <= set(planned(done))
    run(done, *ALL, *CONFIGURATION, "--until", "prepare_patient", *ARGUMENTS)
    assert planned(done) == {}
