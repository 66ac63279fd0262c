"""The miniature run: what it leaves, what an edited file reruns, the same bytes twice, a failing job's words.

What a changed setting reruns is in test_reruns.py.

The tests are in one file so that one worker does the run they share; see conftest.py.
"""

import base64
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from segguided.data.slices import read_generated, read_slices
from segguided.evaluation.csv_files import read_csv
from segguided.status.timeline.bars import newest_timeline
from segguided.training.storage import read_description
from support import damages, kept_files
from support.kills import killed_runs
from support.miniature import ARGUMENTS, MINIATURE, ROOT, copy_repository, jobs_of, snakemake

# Of the miniature's grid.
MODELS = ("controlnet", "spade", "segguided-mat", "segguided", "unconditional", "segguided-plus")


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_results_tree(finished):
    results = finished / "results"
    run = results / "runs/breast-phantom/segguided/seed0"
    names = ["attempts.json", "config.json", "history.csv", "model.safetensors"]
    assert sorted(path.name for path in run.iterdir()) == names
    assert all(np.isfinite(array).all() for array in load_file(run / "model.safetensors").values())
    assert [row["step"] for row in rows(run / "history.csv")][-1] == "12"
    assert not list(results.rglob("*.partial*"))
    for table, real in ((1, "real (ceiling)"), (2, "real (ceiling)"), (3, "real (held-out)")):
        of_table = rows(results / f"table{table}.csv")
        assert {row["model"] for row in of_table} == {*MODELS, real}
        assert all((float(row["training_tflop"] or 0) > 0) == (row["model"] != real) for row in of_table)


def test_splits_share_no_patient(finished):
    splits = rows(finished / "results/data/breast-phantom/splits.csv")
    assert sorted(row["patient"] for row in splits) == ["tiny_1", "tiny_2", "tiny_3", "tiny_4"]
    assert [row["split"] for row in splits] == ["train", "held-out", "test", "test"]
    assert sorted(row["half"] for row in splits) == ["", "", "test", "validation"]


def test_the_card_counts_what_the_splits_list_and_its_checksums_hold(finished):
    data = finished / "results/data/breast-phantom"
    card, sums = (data / "datacard.md").read_text(), (data / "checksums.sha256").read_text()
    slices = sum(int(row["slices"]) for row in rows(data / "splits.csv"))
    assert re.search(rf"^\| all +\| 4 +\| {slices} +\|$", card, re.MULTILINE)
    assert hashlib.sha256(sums.encode()).hexdigest() in card
    check = re.search(r"^\(cd .*$", card, re.MULTILINE)[0]
    assert subprocess.run(check, shell=True, cwd=finished).returncode == 0
    assert len(sums.splitlines()) == 4


def test_generated_sets_belong_to_their_masks(finished):
    splits = rows(finished / "results/data/breast-phantom/splits.csv")
    for split in ("test", "held-out"):
        patients = [row["patient"] for row in splits if row["split"] == split]
        slices = read_slices([finished / f"results/slices/breast-phantom/{p}.npz" for p in patients])
        for model in MODELS:
            path = finished / f"results/generated/breast-phantom/{model}/seed0/{split}.npz"
            images_SHW, names = read_generated(path)
            assert names == slices.names
            assert images_SHW.shape == slices.images.shape
            assert len(np.unique(images_SHW)) > 50, "black or constant images"


def test_generative_models_saw_no_held_out_or_test_patient(finished):
    """The training jobs' inputs, as Snakemake recorded them, hold no other patient's slices."""
    summary = snakemake(finished, "--detailed-summary", "--configfile", MINIATURE)
    splits = rows(finished / "results/data/breast-phantom/splits.csv")
    others = [row["patient"] for row in splits if row["split"] != "train"]
    lines = [
        line
        for line in summary.stdout.splitlines()
        if {"runs", "perceptual", "completers"} & set(line.split("\t")[0].split("/"))
    ]
    assert len(lines) == 3 * (len(MODELS) + 4), (
        "each model, ControlNet's two stages, SPADE's features, a completer"
    )
    assert not [line for line in lines if any(f"{patient}.npz" in line for patient in others)]


@pytest.mark.parametrize(
    "name",
    [
        *(f"figure{n}.png" for n in (1, 2, 3, 4, 5, 6)),
        *("showcase.png", "table1.png", "table3.png", "data/breast-phantom/overview.png"),
    ],
)
def test_figures_are_not_black(finished, name):
    pixels = np.asarray(Image.open(finished / "results" / name).convert("L"))
    assert min(pixels.shape) > 300
    assert len(np.unique(pixels)) > 100


def test_the_page_beside_the_paper_has_this_run_s_values(finished):
    """Those of the tables and of splits.csv; the difference of two models is that of the comparisons."""
    results = finished / "results"
    page = (results / "reproduction.md").read_text()
    macro = {row["model"]: row for row in rows(results / "table1.csv") if row["class"] == "macro"}
    for model in ("controlnet", "spade", "segguided", "segguided-mat"):
        for measure, name in (("dice_mask", "m"), ("dice_real", "m_real")):
            line = rf"Dice\(m_gen, {name}\): {re.escape(macro[model]['title'])} \|.*"
            cells = re.search(line, page)[0].split(" | ")
            assert cells[2] == f"{float(macro[model][f'{measure}_paper']):.4f}"
            assert cells[3].startswith(f"{float(macro[model][measure]):.3f}"), model
    splits = rows(results / "data/breast-phantom/splits.csv")
    trained_on = sum(int(row["slices"]) for row in splits if row["split"] == "train")
    assert f"| slices, train | breast-phantom | about 12,000 | {trained_on} |" in page
    pair = next(
        row
        for row in rows(results / "table1_comparisons.csv")
        if (row["model"], row["other"], row["measure"]) == ("spade", "segguided", "dice_mask_patients_mean")
    )
    numbers = rows(results / "reproduction.csv")
    of_pair = next(row for row in numbers if row["what"] == "Dice(m_gen, m): Ours (STD) − SPADE")
    assert float(of_pair["value"]) == -float(pair["difference"])
    assert of_pair["remark"] == pair["verdict"]
    assert sum("SSIM" in row["what"] for row in numbers) == 2, "at the smallest and the largest λ"
    assert "results/figure3.png" in page and "**no target**" in page


def test_report_is_one_page_with_every_result_and_caption_that_needs_no_network(finished):
    """A browser would fetch what is in src, href or url(); links that a reader may follow do not count."""
    report = finished / "results/report.html"
    result = snakemake(finished, "all", "--configfile", MINIATURE, "--report", report)
    assert result.returncode == 0, result.stdout + result.stderr
    text = report.read_text()
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=.?https?://", text)
    for caption in (
        "table",
        "overview",
        "datacard",
        "reproduction",
        *(f"figure{n}" for n in (1, 2, 3, 4, 5, 6)),
    ):
        first = (finished / f"workflow/report/{caption}.rst").read_text().split("**")[1]
        assert f"<strong>{first}</strong>" in text.replace("\\/", "/"), caption
    described = ("data/breast-phantom/overview.png", "data/breast-phantom/datacard.md")
    for name in ("table1.csv", "table1.png", "table2.png", "table3.png", "figure2.png", *described):
        assert base64.b64encode((finished / "results" / name).read_bytes()).decode()[:200] in text, name


def test_each_job_left_a_log_and_a_benchmark(finished):
    logs = {
        path.relative_to(finished / "logs").with_suffix("") for path in (finished / "logs").rglob("*.log")
    }
    benchmarks = {
        path.relative_to(finished / "benchmarks").with_suffix("")
        for path in (finished / "benchmarks").rglob("*.tsv")
    }
    assert logs == benchmarks
    assert len(logs) == 86


def test_the_picture_of_the_run_has_a_bar_for_each_job_and_a_chain_through_the_stages(finished, tmp_path):
    """Drawn as `make demo` draws it, but after the run, in whose journal it finds the jobs."""
    again = shutil.copytree(finished, tmp_path / "again")
    result = snakemake(again, "draw_run", "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert jobs_of(result) == {"draw_run": 1}
    pixels = np.asarray(Image.open(again / "results/run.png").convert("L"))
    assert min(pixels.shape) > 300
    assert len(np.unique(pixels)) > 100
    run = newest_timeline(again, "results")
    assert len(run.bars) == len(list((finished / "benchmarks").rglob("*.tsv")))
    assert all(bar.done and bar.cpu is not None for bar in run.bars)
    assert run.cpu <= os.cpu_count() * run.wall
    stages = list(dict.fromkeys(bar.stage for bar in run.path))
    assert stages[0] == "download, prepare"
    assert "train" in stages
    assert all(before.end <= after.start + 1 for before, after in pairwise(run.path))


def test_metrics_are_flat_records(finished):
    record = json.loads((finished / "results/metrics/breast-phantom/segguided/seed0.json").read_text())
    assert all(isinstance(value, int | float | str | None) for value in record.values())


def test_second_run_gives_the_same_bytes(finished, tmp_path):
    again = copy_repository(tmp_path)
    result = snakemake(again, "all", "applications", "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    names = [f"table{n}.{ending}" for n in (1, 2, 3) for ending in ("csv", "md", "png")]
    names += [f"figure{n}.{ending}" for n in (1, 2, 3, 4, 5, 6) for ending in ("png", "pdf")]
    names += [f"data/breast-phantom/{file}" for file in ("overview.png", "datacard.md", "checksums.sha256")]
    names += ["showcase.png", "partial/breast-phantom.csv", "similarity/breast-phantom.csv"]
    names += ["reproduction.csv", "reproduction.md"]
    run = "breast-phantom/segguided/seed0"
    names += [
        "applications/rare/breast-phantom/segguided.csv",
        "applications/paired/breast-phantom/segguided-mat/seed0.zip",
    ]
    names += [f"applications/counterfactual/{run}.{ending}" for ending in ("csv", "md", "png")]
    names += [f"applications/translation/breast-phantom-t2-to-{run}.{ending}" for ending in ("csv", "png")]
    files = ("model.safetensors", "history.csv")
    names += [f"runs/breast-phantom/{model}/seed0/{file}" for model in MODELS for file in files]
    for name in names:
        assert (again / "results" / name).read_bytes() == (finished / "results" / name).read_bytes(), name


def test_ablation_and_sweeps_compare_models_of_a_finished_run(finished, tmp_path):
    again = shutil.copytree(finished, tmp_path / "again")
    result = snakemake(again, "ablation", "sweeps", "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert jobs_of(result) == {
        "ablation": 1, "sweeps": 1, "time_training": 2,
        "make_ablation": 1, "draw_ablation": 1, "draw_sweep": 1,
    }  # fmt: skip
    rows = read_csv(again / "results/ablation.csv")
    assert list(rows["model"]) == ["segguided", "segguided-plus"]
    assert (rows["seconds_to_share"] > 0).all()
    assert rows["times_as_long"].iloc[1] == 1
    for name in ("ablation.md", "ablation.png", "ablation.pdf", "sweeps/width.csv", "sweeps/width.png"):
        assert (again / "results" / name).stat().st_size > 500, name


MAT = (
    "grid={models: [controlnet, spade, controlnet-mat, spade-mat]}",
    "partial_masks={models: [controlnet-mat, spade-mat]}",
)


def test_spade_and_controlnet_train_with_ablated_masks_and_share_what_sees_none(finished, tmp_path):
    """Their perceptual network, autoencoder and latents are those of the models without ablation."""
    again = shutil.copytree(finished, tmp_path / "again")
    targets = ("results/table3.csv", "results/partial/breast-phantom.csv")
    result = snakemake(again, *targets, "--configfile", MINIATURE, "--config", *MAT, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert jobs_of(result) == {
        "train_controlnet": 1, "train_spade": 1, "generate_controlnet": 1, "generate_spade": 1,
        "train_segmenter": 2, "evaluate_model": 2, "make_table": 1, "generate_partial": 2,
        "measure_partial": 1,
    }  # fmt: skip
    runs = again / "results/runs/breast-phantom"
    for kind, key in (("spade", "model"), ("controlnet", "control")):
        ablated, plain = (
            read_description(runs / name / "seed0/model.safetensors") for name in (f"{kind}-mat", kind)
        )
        assert ablated[key].pop("mask_ablation") == "sample"
        assert ablated[key] | {"title": None} == plain[key] | {"title": None}
        assert ablated["weights_sha256"] != plain["weights_sha256"]
    assert not (runs / "controlnet-mat/seed0/autoencoder").exists()
    table = {row["model"]: row for row in rows(again / "results/table3.csv")}
    assert float(table["controlnet-mat"]["training_tflop"]) > 0
    assert float(table["spade-mat"]["training_tflop"]) > 0
    partial = rows(again / "results/partial/breast-phantom.csv")
    measured = {(row["model"], row["kept"]) for row in partial}
    kept = ("all", "vessels+FGT", "breast")
    assert measured == {(name, classes) for name in ("controlnet-mat", "spade-mat") for classes in kept}
    for name in ("controlnet-mat", "spade-mat"):
        with np.load(again / f"results/partial/breast-phantom/{name}/seed0.npz") as partial_set:
            images = dict(zip(partial_set["names"].tolist(), partial_set["images"], strict=True))
        pairs = [(images[first], images[f"{first[:-1]}1"]) for first in images if first.endswith("/0")]
        are_alike = all(np.array_equal(*pair) for pair in pairs)
        assert are_alike == (name == "spade-mat"), "SPADE has no noise"


def test_sets_generated_in_shards_are_the_same_bytes(finished, tmp_path):
    """Three shards, of which some are empty, for each kind of model; only what generates and gathers runs."""
    again = shutil.copytree(finished, tmp_path / "again")
    folders = [
        f"results/generated/breast-phantom/{model}/seed0" for model in ("controlnet", "spade", "segguided")
    ]
    for folder in folders:
        shutil.rmtree(again / folder)
    sharded = ("--configfile", MINIATURE, "--set-scatter", "generation=3")
    result = snakemake(again, *(f"{folder}/test.npz" for folder in folders), *sharded, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    generating = {f"generate_{kind}": 3 for kind in ("controlnet", "spade", "diffusion")}
    assert jobs_of(result) == {**generating, "gather_images": 3}
    for folder in folders:
        names = ["held-out.npz", "repeated.npz", "test.npz"]
        assert sorted(path.name for path in (again / folder).rglob("*.npz")) == names
        for name in names:
            assert (again / folder / name).read_bytes() == (finished / folder / name).read_bytes()
    assert not jobs_of(snakemake(again, "-n", *(f"{folder}/test.npz" for folder in folders), *sharded))


def test_another_number_of_shards_generates_again_and_retrains_no_generative_model(finished):
    sharded = ("--set-scatter", "generation=3")
    assert reruns(finished, *sharded) == GENERATION | FIGURES | {"gather_images"}
    assert reruns(finished, *sharded, "--rerun-triggers", "mtime") == set()


def test_a_training_on_two_gpus_is_that_of_one(finished, tmp_path):
    """Here two processes on the CPU. The number is no parameter: it retrains nothing."""
    again = shutil.copytree(finished, tmp_path / "again")
    run = "results/runs/breast-phantom/segguided/seed0"
    two = ("--configfile", MINIATURE, "--set-resources", "train_diffusion:gpu=2")
    assert not jobs_of(snakemake(again, "-n", "all", *two))
    shutil.rmtree(again / run)
    result = snakemake(again, f"{run}/history.csv", *two, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    log = (again / "logs/train_diffusion/breast-phantom/segguided/seed0.log").read_text()
    assert "2 processes share each batch" in log
    descriptions = [
        {**read_description(place / run / "model.safetensors"), "weights_sha256": None}
        for place in (again, finished)
    ]
    assert descriptions[0] == descriptions[1], "but for the checksum of the weights, which rounding changes"
    losses = [
        [float(row["loss"]) for row in rows(place / run / "history.csv")] for place in (again, finished)
    ]
    assert np.allclose(*losses, rtol=0.01), "in the precision that the machine has, which may be bf16"


def test_failing_job_shows_its_one_sentence(finished, tmp_path):
    """A damaged DICOM file stops its patient's job; the message reaches the terminal, no output is left."""
    broken = copy_repository(tmp_path)
    target = "results/slices/breast-phantom/tiny_1.npz"
    assert snakemake(broken, target, "--configfile", MINIATURE, *ARGUMENTS).returncode == 0
    (broken / target).unlink()
    file = next((broken / "results/raw/breast-phantom/images/tiny_1").iterdir())
    file.write_bytes(file.read_bytes()[:700])
    result = snakemake(broken, target, "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 1
    assert f"error: {file.relative_to(broken)}" in result.stdout + result.stderr
    assert not (broken / target).exists()


def test_scripts_say_what_they_take(finished):
    for path in sorted((finished / "scripts").glob("*.py")):
        if "torch" not in path.read_text():
            result = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True)
            assert result.returncode == 0
            assert "usage:" in result.stdout


@pytest.fixture(scope="module")
def kept(finished, tmp_path_factory):
    """A copy of the finished results, to be damaged, and moved: they must be right in any place."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(finished / "results", folder / "results")
    return folder


def test_every_kept_file_is_of_a_kind(kept):
    """A new kind of file needs a row in kept_files.py, and in the docs."""
    names = [p.relative_to(kept / "results").as_posix() for p in kept.rglob("results/**/*") if p.is_file()]
    assert {name: kinds for name in names if not (kinds := kept_files.kinds_of(name))} == {}
    docs = (ROOT / "workflow/docs/damage.md").read_text()
    rows = re.findall(r"^\| ([^|]+?) +\|", docs, re.MULTILINE)
    assert set(rows) - {"file", "---"} >= {*kept_files.KINDS, *kept_files.UNREAD, *kept_files.WITHOUT_EFFECT}


@pytest.mark.parametrize("name", kept_files.KINDS)
def test_a_damaged_file_or_one_of_another_is_one_sentence(kept, monkeypatch, name):
    """Truncated, one byte, empty, another valid file in its place: never accepted, and no traceback."""
    monkeypatch.chdir(kept)
    kind = kept_files.KINDS[name]
    path = damages.RESULTS / damages.first_of(kind.example)
    assert damages.outcome(path, kind.read) == "", "whole"
    for what, change in [*damages.damages(path), *kind.replacements.items()]:
        with damages.changed(path, change):
            sentence = damages.outcome(path, kind.read)
        assert "delete" in sentence, f"{what}: {sentence or 'read in silence'}"
        assert any(file.name in sentence for file in damages.companions(path)), f"{what}: {sentence}"
        assert "\n" not in sentence
    assert kind.replacements


@pytest.mark.parametrize("name", kept_files.OTHER_READERS)
def test_every_reader_of_weights_looks_at_their_checksum(kept, monkeypatch, name):
    monkeypatch.chdir(kept)
    example, read = kept_files.OTHER_READERS[name]
    path = damages.RESULTS / example
    assert damages.outcome(path, read) == ""
    for what, change in damages.damages(path, bytes_changed=3):
        with damages.changed(path, change):
            assert "delete" in damages.outcome(path, read), what


def test_kills_at_random_moments_leave_no_trace(finished, tmp_path):
    """Three kills of one model's jobs; with KILLS=20 in the environment, 20 of the whole miniature."""
    again, kills = copy_repository(tmp_path), int(os.environ.get("KILLS", "0"))
    targets: tuple[str, ...] = ("results/generated/breast-phantom/segguided/seed0/test.npz",)
    longest = 9.0
    if kills:
        targets = ("all", "applications")
        longest = 30.0
    reports = list(killed_runs(again, targets, kills or 3, seed=1, longest=longest))
    print(*reports, sep="\n")
    assert any(report.endswith("killed while a training saved") for report in reports)
    written = [path for path in (again / "results").rglob("*") if path.is_file()]
    compared = {path.relative_to(again) for path in written if path.name != "attempts.json"}
    assert not [path for path in compared if "partial" in path.suffixes or path.suffix == ".pt"]
    if kills:
        whole = [path for path in (finished / "results").rglob("*") if path.is_file()]
        assert compared == {path.relative_to(finished) for path in whole if path.name != "attempts.json"}
    for path in compared:
        assert (again / path).read_bytes() == (finished / path).read_bytes(), path


TABLES = {"make_table", "draw_table", "write_reproduction"}
GENERATION = {"generate_controlnet", "generate_diffusion", "generate_spade"}
GENERATION |= {"train_segmenter", "evaluate_model"} | TABLES
OVERVIEW = {"draw_overview"}
FIGURES = {"draw_figure1", "draw_figure2", "draw_figure5", "draw_showcase"}
PARTIAL_FIGURES = {"draw_figure3", "draw_figure4", "draw_figure6"}
MEASURED = {"measure_partial", "measure_similarity", "write_reproduction"}
PARTIAL = {"generate_partial", "generate_similar", "generate_free"} | MEASURED | PARTIAL_FIGURES


def reruns(finished, *arguments):
    """Rules a dry-run would run, `all` left out."""
    result = snakemake(finished, "-n", "all", "--configfile", MINIATURE, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return set(jobs_of(result)) - {"all"}


def test_nothing_reruns_after_a_run(finished):
    assert reruns(finished) == set()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("figures/blocks.py", FIGURES | PARTIAL_FIGURES | OVERVIEW | {"draw_table"}),
        ("describe/overview.py", OVERVIEW),
        ("describe/datacard.py", {"write_datacard"}),
        ("tables/layouts.py", TABLES),
        ("tables/typeset.py", {"draw_table"}),
        ("evaluation/likeness/distances.py", {"evaluate_model"} | TABLES),
        ("generation/sets.py", GENERATION | FIGURES | PARTIAL),
        ("evaluation/partial_masks.py", {"measure_partial", "write_reproduction"}),
        (
            "generation/similarity.py",
            {"generate_similar", "measure_similarity", "draw_figure4", "write_reproduction"},
        ),
        ("tables/claim_page.py", {"write_reproduction"}),
        (
            "models/spade.py",
            # Its discriminator may be a loss of a diffusion model, too.
            GENERATION - {"generate_controlnet"} | {"train_spade", "train_diffusion"} | FIGURES | PARTIAL,
        ),
        ("config/workflow.py", set()),
        ("../list_split.py", set()),
        (
            "data/splits.py",
            {"train_segmenter", "evaluate_model", "draw_figure4", "split_dataset", "write_datacard"}
            | {"draw_overview"}
            | {"generate_partial", "generate_similar", "draw_figure3", "draw_figure6"}  # of a half's masks
            | MEASURED
            | TABLES,
        ),
        ("config/evaluation.py", {"evaluate_model"} | TABLES),
    ],
)
def test_edited_library_file_reruns_exactly_its_rules(finished, file, expected):
    path = finished / "scripts/segguided" / file
    text = path.read_text()
    path.touch()
    assert reruns(finished) == set(), "touching is not editing"
    path.write_text(text + "\nEDITED = True\n")
    try:
        assert reruns(finished) == expected
    finally:
        path.write_text(text)


def test_edited_training_loop_retrains(finished):
    path = finished / "scripts/segguided/training/loop.py"
    text = path.read_text()
    path.write_text(text + "\nEDITED = True\n")
    try:
        rerun = reruns(finished)
    finally:
        path.write_text(text)
    stages = {"train_autoencoder", "train_latent_diffusion", "train_controlnet"}
    stages |= {"train_diffusion", "train_perceptual", "train_spade", "train_completer"}
    assert rerun == stages | GENERATION | FIGURES | PARTIAL


def test_moved_checkout_reruns_nothing(finished):
    moved = finished.with_name("moved")
    finished.rename(moved)
    try:
        assert reruns(moved) == set()
    finally:
        moved.rename(finished)
