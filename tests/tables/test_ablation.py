"""The tables of ablation and sweeps, from records with known numbers."""

import math
from dataclasses import replace

import pytest
from PIL import Image

from draw_ablation import draw_ablation
from draw_sweep import draw_sweep
from make_ablation import make_ablation
from segguided.config.ablation import Sweep
from segguided.evaluation.csv_files import read_csv
from segguided.evaluation.times import TimedTraining, read_timed, write_timed
from segguided.seals import write_sealed
from segguided.tables.ablation import ablation_frame, ablation_markdown, sweep_frame
from support.table_records import SETTINGS, record

FAST = TimedTraining(
    0.9, reached=True, seconds=4.0, times_as_long=1.0, device="cpu", checks=[(10, 4.0, 0.95)]
)
SLOW = replace(FAST, reached=False, seconds=80.0, times_as_long=20.0, checks=[(99, 80.0, 0.2)])
TIMES = {
    (dataset, model): FAST if model == "spade" else SLOW
    for dataset in ("phantom", "ct")
    for model in ("segguided", "spade")
}
SWEEP = Sweep.model_validate(
    {
        "title": "steps $1$",
        "lines": {"one": [{"value": 1, "model": "spade"}, {"value": 4, "model": "segguided"}]},
        "chosen": "spade",
    }
)


def records(seeds=(0, 1)):
    return [
        record(dataset, model, seed)
        for dataset in ("phantom", "ct")
        for model in ("segguided", "spade", "real")
        for seed in seeds
    ]


def test_the_ablation_has_means_and_deviations_over_seeds_and_times():
    frame = ablation_frame(records(), SETTINGS, TIMES)
    assert list(frame["model"]) == ["segguided", "spade"] * 2
    row = frame.iloc[0]
    assert row["seeds"] == 2
    assert row["diversity"] == pytest.approx(0.806)
    assert row["diversity_std"] == pytest.approx(0.01 / math.sqrt(2))
    assert row["kernel_segmenter"] == pytest.approx(8.0), "as in Table 3: times 1,000"
    assert not row["reached_share"] and row["times_as_long"] == 20
    assert frame.iloc[1]["reached_share"]
    ratio = records()[0]["faithfulness.mask.ratio.breast"]
    assert row["dice_over_ceiling_breast"] == pytest.approx(ratio, abs=0.02)


def test_a_training_that_was_stopped_is_shown_as_longer():
    frame = ablation_frame(records(), SETTINGS, TIMES)
    page = ablation_markdown(frame, SETTINGS, 0.9)
    assert "> 20 ×" in page and "1.0 ×" in page and "0.9 of the ceiling" in page
    assert page.count("Ours (STD)") == 2


def test_a_missing_record_is_named():
    with pytest.raises(ValueError, match="no record of ct × spade"):
        ablation_frame(
            [r for r in records() if r["dataset"] != "ct" or r["model"] != "spade"], SETTINGS, TIMES
        )


def test_a_sweep_has_a_row_a_value_and_one_of_the_real_images():
    frame = sweep_frame(records((0,)), SETTINGS, SWEEP)
    assert list(frame["line"]) == ["one", "one", "real"] * 2
    assert list(frame["chosen"]) == [True, False, False] * 2
    assert math.isnan(frame["diversity"].iloc[2]), "real images are not repeated"
    assert not math.isnan(frame["kernel_unseen"].iloc[2])


def test_scripts_write_tables_and_figures_the_same_each_time(tmp_path):
    files = []
    for number, values in enumerate(records()):
        files.append(tmp_path / f"{number}.json")
        write_sealed(files[-1], values)
    times = []
    for (dataset, model), timed in TIMES.items():
        path = tmp_path / f"{dataset}-{model}.json"
        write_timed(path, dataset, model, 0, timed)
        times.append((dataset, model, str(path)))
    for name in ("a", "b"):
        folder = tmp_path / name
        make_ablation(
            records=files, times=times, settings=SETTINGS, share=0.9,
            csv=folder / "ablation.csv", markdown=folder / "ablation.md",
        )  # fmt: skip
        draw_ablation(folder / "ablation.csv", folder / "ablation.png", folder / "ablation.pdf")
        draw_sweep(
            records=[path for path, values in zip(files, records(), strict=True) if values["seed"] == 0],
            settings=SETTINGS, sweep=SWEEP,
            csv=folder / "sweep.csv", png=folder / "sweep.png", pdf=folder / "sweep.pdf",
        )  # fmt: skip
    for name in ("ablation.md", "ablation.png", "ablation.pdf", "sweep.png", "sweep.pdf"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len(read_csv(tmp_path / "a" / "ablation.csv")) == 4
    assert Image.open(tmp_path / "a" / "ablation.png").size[0] > 1000


def test_another_file_is_no_timed_training(tmp_path):
    write_sealed(tmp_path / "times.json", {"dataset": "ct"})
    with pytest.raises(ValueError, match="is no timed training: it lacks 'share'"):
        read_timed(tmp_path / "times.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chosen": "std"}, "chosen is 'std', but no line has this model"),
        ({"lines": {"one": []}}, "line 'one' has the values .*; list rising ones"),
        (
            {"lines": {"one": [{"value": 2, "model": "spade"}, {"value": 1, "model": "std"}]}},
            r"line 'one' has the values \[2.0, 1.0\]; list rising ones",
        ),
    ],
)
def test_a_sweep_that_cannot_be_drawn_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        Sweep.model_validate(SWEEP.model_dump() | change)
