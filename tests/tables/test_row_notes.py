"""Footnotes of a model's row: true to its settings, in CSV, Markdown and picture."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from matplotlib.text import Text

from segguided.config.row_notes import WHOLE_ALONE, row_notes
from segguided.config.workflow import load
from segguided.evaluation.csv_files import read_csv, to_csv
from segguided.tables.frame import make_frame
from segguided.tables.inputs import TableSettings
from segguided.tables.layouts import TABLE_1, TABLE_3
from segguided.tables.markdown import to_markdown
from segguided.tables.sheet import make_sheet
from segguided.tables.typeset import draw_sheet
from support.table_records import SETTINGS, records

NOTES = {"segguided": ("started late", "one call"), "spade": ()}


def noted_settings(notes: dict[str, tuple[str, ...]]) -> TableSettings:
    """The settings of the known records, with footnotes."""
    models = [{**model.model_dump(), "notes": notes[model.name]} for model in SETTINGS.models]
    return TableSettings.model_validate({**SETTINGS.model_dump(), "models": models})


def test_a_footnote_stands_in_csv_markdown_and_picture(tmp_path: Path) -> None:
    frame = make_frame(TABLE_1, records(), noted_settings(NOTES), {})
    of_model = frame[frame["model"] == "segguided"]
    assert set(of_model["note"]) == {"started late; one call"}
    assert frame.loc[frame["model"] != "segguided", "note"].isna().all()
    markdown = to_markdown(TABLE_1, frame)
    assert "| Ours (STD)¹ " in markdown
    assert "- ¹ Started late; one call.\n" in markdown
    (tmp_path / "table.csv").write_text(to_csv(frame, decimals=None))
    sheet = make_sheet(TABLE_1, read_csv(tmp_path / "table.csv"))
    assert sheet == make_sheet(TABLE_1, frame)
    texts = {text.get_text() for text in draw_sheet(sheet).findobj(Text) if isinstance(text, Text)}
    assert {"Ours (STD)¹", "¹ Started late; one call."} <= texts


def test_equal_footnotes_share_a_mark_and_others_have_their_own() -> None:
    equal = make_frame(TABLE_3, records(), noted_settings({"segguided": ("a",), "spade": ("a",)}), {})
    assert [row.model for row in make_sheet(TABLE_3, equal).rows][:2] == ["Ours (STD)¹", "SPADE¹"]
    other = make_frame(TABLE_3, records(), noted_settings({"segguided": ("a",), "spade": ("b",)}), {})
    assert [row.model for row in make_sheet(TABLE_3, other).rows][:2] == ["Ours (STD)¹", "SPADE²"]
    assert make_sheet(TABLE_3, other).notes[:2] == ("¹ A.", "² B.")


ROOT = Path(__file__).parents[2]
SIZES = {"channels": [32, 32]}
SCRATCH = {"kind": "scratch", "autoencoder": SIZES, "unet": SIZES}
HINT = {"hint_channels": [16, 32]}  # as many levels as the autoencoder


PERCEPTUAL = {"perceptual": 0.1, "perceptual_network": {"kind": "vgg19", "weights": "vgg.pth"}}


@pytest.mark.parametrize(
    ("model", "settings", "text"),
    [
        ("controlnet", {}, "starts from pre-trained weights"),
        ("controlnet", {"init": SCRATCH, "control": HINT}, "trained from random weights"),
        ("spade", {"perceptual": {"kind": "vgg19", "weights": "vgg.pth"}}, "VGG-19, as in the paper"),
        ("spade", {"perceptual": {"kind": "none"}}, "without a perceptual loss"),
        ("spade-mat", {"perceptual": {"kind": "none"}}, "without a perceptual loss"),
        ("spade-mat", {}, "trained with mask ablation, which the paper calls applicable to any model"),
        ("controlnet-mat", {}, "trained with mask ablation, which the paper calls applicable to any model"),
        ("segguided-plus", {"losses": PERCEPTUAL}, "with a perceptual loss on VGG-19"),
        ("segguided-mat", {}, "its masks are whole at every sampling step; the paper does not say"),
        ("segguided-mat-step", {}, "removed from its masks at random at every sampling step; the paper does"),
    ],
)
def test_footnotes_are_true_to_the_settings(model: str, settings: dict[str, Any], text: str) -> None:
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for key, value in settings.items():
        whole = key in ("init", "perceptual")
        values["models"][model][key] = value if whole else values["models"][model][key] | value
    config = load(values)
    notes = row_notes(config.trained(model), config.sampling_of(model))
    assert len(notes) == (2 if model in ("spade-mat", "controlnet-mat") else 1)
    assert [note for note in notes if text in note]


WHOLE = ("segguided", "spade", "controlnet", "segguided-plus", "regression")


@pytest.mark.parametrize("model", [*WHOLE, "segguided-mat", "spade-mat", "controlnet-mat", "unconditional"])
def test_models_that_know_no_free_classes_say_whom_they_left_out(model: str) -> None:
    config = load(yaml.safe_load((ROOT / "config.yaml").read_text()))
    notes = row_notes(config.trained(model), config.sampling_of(model), lacks_annotation=True)
    assert (WHOLE_ALONE in notes) == (model in WHOLE)
    assert WHOLE_ALONE not in row_notes(config.trained(model), config.sampling_of(model))
