"""Mistakes that the configuration alone shows are reported before anything runs."""

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from matplotlib import colors
from pydantic import ValidationError
from torch import nn

from segguided.config.checks.names import check_class, check_color, check_inside
from segguided.config.checks.sizes import (
    _discriminator_misfits,
    _group_norm_misfits,
    misfits,
    segmenter_misfits,
)
from segguided.config.datasets import Dataset, Preparation
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import SpadeDiscriminator
from segguided.config.models.unet import Unet
from segguided.config.sources.dicom import DicomSource
from segguided.config.sources.nifti import NiftiSource
from segguided.config.workflow import load
from segguided.data.formats.png import write_grey
from segguided.data.splits import read_manifest
from segguided.models.segmenter import build_segmenter
from segguided.models.spade import Discriminator
from segguided.planning.enough import check_enough

ROOT = Path(__file__).parents[2]
TRAINING = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-3}
WINDOW = {"kind": "window", "low": 0, "high": 1}
SOURCES = {
    "nifti": {"kind": "nifti", "folder": "f"},
    "png": {"kind": "png", "images": "i", "masks": "m"},
    "ct-org": {"kind": "ct-org"},
    "demo-ct": {"kind": "demo-ct"},
    "dicom": {"kind": "dicom", "images": "i", "masks": "m"},
    "phantom": {"kind": "phantom"},
    "idc": {"kind": "idc", "masks": "m"},
}


def preparation(kind: str, *classes: dict[str, Any]) -> Preparation:
    values = {"source": SOURCES[kind], "classes": classes, "image_size": 32, "intensity": WINDOW}
    return Preparation.model_validate(values)


def refusal(kind: str, *classes: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        preparation(kind, *classes)
    return str(caught.value)


def config(*files: str, **sections: Any) -> dict[str, Any]:
    from snakemake.utils import update_config

    values: dict[str, Any] = {}
    for name in ("config.yaml", *files):
        update_config(values, copy.deepcopy(yaml.safe_load((ROOT / name).read_text())))
    update_config(values, sections)
    return values


# Labels


@pytest.mark.parametrize("kind", ["nifti", "ct-org", "png"])
@pytest.mark.parametrize("labels", [(1, None), (None, 2), (None, 5, None), (7, 8, None)])
def test_labels_are_for_all_classes_or_for_none(kind: str, labels: tuple[int | None, ...]) -> None:
    classes = [{"name": f"c{k}", "label": label} for k, label in enumerate(labels)]
    unlabelled = ", ".join(f"c{k}" for k, label in enumerate(labels) if label is None)
    message = refusal(kind, *classes)
    assert (
        f"classes {unlabelled} of a {kind} dataset have no `label`, their value in the masks; give" in message
    )


@pytest.mark.parametrize("kind", ["nifti", "ct-org"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_without_labels_the_place_counts_where_that_is_documented(kind: str, count: int) -> None:
    classes = [{"name": f"c{k}"} for k in range(count)]
    assert "give every class its own" in refusal(kind, *classes)
    assert preparation("png", *classes).class_names == tuple(c["name"] for c in classes)


@pytest.mark.parametrize(
    ("kind", "labels", "reason"),
    [
        ("nifti", (3, 3), "label 3 belongs to two classes"),
        ("png", (1, 2, 1), "label 1 belongs to two classes"),
        ("ct-org", (5, 6), "source.ignore names [6], which are labels of classes"),
        ("nifti", (0, 1), "greater than or equal to 1"),
    ],
)
def test_labels_are_one_a_class(kind: str, labels: tuple[int, ...], reason: str) -> None:
    assert reason in refusal(kind, *({"name": f"c{k}", "label": n} for k, n in enumerate(labels)))


@pytest.mark.parametrize("kind", ["dicom", "phantom", "idc", "demo-ct"])
def test_a_label_that_nothing_reads_is_refused(kind: str) -> None:
    classes = [{"name": n, "file": f"{n}.seg.nrrd"} for n in ("body", "lungs", "bone")]
    preparation(kind, *classes)
    message = refusal(kind, *classes[:2], {**classes[2], "label": 3})
    assert f"classes bone of a {kind} dataset have a `label`, which nothing reads there" in message


@pytest.mark.parametrize("names", [("body",), ("lungs", "body", "bone"), ("body", "lungs", "bone", "skin")])
def test_the_demo_finds_three_classes_in_their_order(names: tuple[str, ...]) -> None:
    assert "body, lungs, bone in this order" in refusal("demo-ct", *({"name": name} for name in names))
    assert preparation("demo-ct", *({"name": name} for name in ("Leib", "Lungen", "Knochen")))


# Names and colours


def test_colours_are_those_of_matplotlib() -> None:
    known = {
        *colors.CSS4_COLORS,
        *colors.TABLEAU_COLORS,
        *colors.BASE_COLORS,
        *list(colors.XKCD_COLORS)[::50],
    }
    for color in sorted(
        known | {"tab:grey", "C0", "C12", "0.5", "1", "#a1B2c3", "#fff", "Maroon", "TAB:BLUE"}
    ):
        assert check_color(color) == color
        assert colors.is_color_like(color)


@pytest.mark.parametrize(
    "color",
    [
        "none",
        "rde",
        "",
        "bg",
        "1.5",
        "-0.5",
        "#ff",
        "#gggggg",
        "xkcd:nocolour",
        "tab:",
        "Maroon ",
        "(1,0,0)",
        "W",
    ],
)
def test_other_colours_are_refused(color: str) -> None:
    with pytest.raises(ValueError, match=r"is no colour; .*write a name that matplotlib knows"):
        check_color(color)
    assert "is no colour" in refusal("png", {"name": "a", "color": color})
    if color != "none":  # which draws nothing
        assert not colors.is_color_like(color)


@pytest.mark.parametrize("color", ["marron", "orrange", "tab:bleu"])
def test_a_slip_gets_a_proposal(color: str) -> None:
    with pytest.raises(ValueError, match=r"did you mean (maroon|orange|tab:blue)\?"):
        check_color(color)


@pytest.mark.parametrize("name", ["macro", "Macro", "all", "ALL"])
def test_classes_that_stand_for_something_else(name: str) -> None:
    with pytest.raises(ValueError, match="has another meaning beside the classes"):
        check_class(name)
    with pytest.raises(ValueError, match=rf"datasets\.ct-organ\.classes\[0\]\.name: '{name}' has"):
        values = config()
        values["datasets"]["ct-organ"]["classes"][0]["name"] = name
        load(values)


@pytest.mark.parametrize("title", ["two\nlines", "folded\n", "tab\there", "\u2028"])
def test_titles_are_one_line(title: str) -> None:
    with pytest.raises(ValueError, match=r"models\.spade\.title is .* is one line of text; write it so"):
        load(config(models={"spade": {"title": title}}))


def test_names_that_differ_in_capitals_alone() -> None:
    values = config()
    values["models"]["SPADE"] = values["models"]["spade"]
    load(values)
    values["grid"]["models"] = ["spade", "SPADE"]
    with pytest.raises(ValueError, match=r"grid\.models names spade in capitals and without"):
        load(values)


# Paths


@pytest.mark.parametrize(
    "file",
    ["../../etc/x.nrrd", "/etc/x.nrrd", "a/../../x.nrrd", "~/x.nrrd", "{patient}/..", ".", "x\ny.nrrd"],
)
def test_a_classs_file_stays_in_its_folder(file: str) -> None:
    assert "leads out of its folder" in (found := refusal("dicom", {"name": "a", "file": file})) or (
        "invisible characters" in found
    )
    for key in ("image", "mask"):
        with pytest.raises(ValidationError, match=r"leads out of its folder|invisible|one file for all"):
            NiftiSource.model_validate({**SOURCES["nifti"], key: file})


@pytest.mark.parametrize("file", ["a/b.nrrd", "{patient}.seg.nrrd", "sub/{patient}/x..y.nrrd", "Läsion.nrrd"])
def test_files_in_the_folder_are_let_through(file: str) -> None:
    assert check_inside(file, "the file") == file


@pytest.mark.parametrize("cell", ["../../x", "/etc/passwd", "a/../../b", "", "~root", ".."])
def test_a_cell_that_leads_out_is_told_with_its_line(tmp_path: Path, cell: str) -> None:
    (tmp_path / "t.tsv").write_text(f"patient\tscan\np1\tok.nii\np2\t{cell}\n")
    rows = read_manifest(tmp_path / "t.tsv")
    source = NiftiSource(kind="nifti", folder="f", image="{scan}")
    source.check_rows(rows[:1], "t.tsv")
    with pytest.raises(ValueError, match=r"t\.tsv, line 3: the column scan (is empty|with .* leads out)"):
        source.check_rows(rows, "t.tsv")
    for kind, column in (("ct-org", "case"), ("demo-ct", "member")):
        row = {"case": "1", "package": "p", "member": "m", column: cell}
        with pytest.raises(ValueError, match=f"t.tsv: the column {column}"):
            preparation(kind, *_classes(kind)).source.check_rows([row], "t.tsv")
    DicomSource(kind="dicom", images="i", masks="m").check_rows(rows, "t.tsv")  # reads no such column


def _classes(kind: str) -> list[dict[str, Any]]:
    return [
        {"name": n, **({"label": k} if kind == "ct-org" else {})}
        for k, n in enumerate(("body", "lungs", "bone"), 1)
    ]


# Sizes: what is refused cannot be trained, and what is let through can


def trains(network: nn.Module, *inputs: torch.Tensor) -> bool:
    try:
        network.train()(*inputs)
    except (ValueError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize(
    ("levels", "size"), [(5, 16), (7, 64), (8, 64), (6, 32), (4, 16), (2, 16), (5, 32), (5, 48), (3, 18)]
)
def test_a_segmenters_lowest_level_has_two_pixels(levels: int, size: int) -> None:
    segmenter = Segmenter.model_validate({"channels": [4] * levels, "training": TRAINING})
    misfits_found = list(segmenter_misfits("segmenter", segmenter, size))
    image_B1HW = torch.zeros(2, 1, size, size)
    assert trains(build_segmenter(segmenter, 2), image_B1HW) == (not misfits_found)


@pytest.mark.parametrize("size", [16, 32, 48])
def test_a_discriminators_smallest_scale_has_two_pixels(size: int) -> None:
    for layers, scales in itertools.product((2, 3, 4), (1, 2, 4, 5, 6)):
        settings = SpadeDiscriminator(channels=4, layers=layers, scales=scales)
        inputs = torch.zeros(1, 1, size, size), torch.zeros(1, 2, size, size)
        misfits_found = list(_discriminator_misfits("d", settings, size))
        assert trains(Discriminator(settings, 2), *inputs) == (not misfits_found), (
            layers,
            scales,
            misfits_found,
        )


@pytest.mark.parametrize(
    ("unet", "size", "fits"),
    [
        ({"channels": [8, 8], "norm_groups": 8}, 2, False),
        ({"channels": [8, 16], "norm_groups": 8}, 2, True),
        ({"channels": [32, 32, 32, 32, 32], "norm_groups": 32}, 16, False),
        ({"channels": [32, 32, 32, 32], "norm_groups": 32}, 16, True),
    ],
)
def test_a_group_of_one_value_is_refused(unet: dict[str, Any], size: int, fits: bool) -> None:
    network = Unet.model_validate(unet)
    assert bool(list(_group_norm_misfits("u", network, size))) != fits
    lowest = size >> (len(network.channels) - 1)
    values = torch.randn(1, network.channels[-1], lowest, lowest)
    groups = network.norm_groups
    vanishes = values.reshape(1, groups, -1).var(-1, unbiased=False).max() == 0  # a norm leaves nothing
    assert bool(vanishes) != fits


COMPLETER_UNET = {"channels": [8, 16], "norm_groups": 4}
COMPLETER = {
    "stages": [{"cell": 16, "unet": COMPLETER_UNET}, {"cell": 1, "unet": COMPLETER_UNET}],
    "training": {"steps": 2, "batch_size": 2, "learning_rate": 1e-3},
}


def test_a_completer_needs_a_model_that_sees_a_mask() -> None:
    model = {"conditioning": "none", "mask_ablation": "none", "completer": COMPLETER}
    with pytest.raises(ValueError, match="a completer fills in masks, but conditioning is none"):
        load(config("tests/support/miniature.yaml", models={"segguided": model}))


def test_sizes_are_told_with_their_path() -> None:
    for changes, expected in (
        (
            {"segmenter": {"channels": [4] * 5}},
            "datasets.breast-phantom.image_size is 16, which leaves one pixel at",
        ),
        (
            {"models": {"spade": {"perceptual": {"encoder": {"channels": [4] * 6}}}}},
            "which the levels of models.spade.perceptual.encoder cannot halve evenly",
        ),
        (
            {"models": {"segguided": {"completer": COMPLETER}}},
            "which models.segguided.completer.stages.0 cannot divide evenly into its cells of 16",
        ),
        (
            {"models": {"spade": {"discriminator": {"layers": 3, "scales": 5}}}},
            "5 scales of models.spade.discriminator",
        ),
        (
            {"models": {"segguided": {"unet": {"channels": [8] * 4, "norm_groups": 8}}}},
            "level 3 of models.segguided.unet",
        ),
    ):
        datasets = {name: {"image_size": 16} for name in ("breast-phantom", "breast-phantom-t2")}
        with pytest.raises(ValueError, match="config: ") as caught:
            load(config("tests/support/miniature.yaml", **{"datasets": datasets, **changes}))
        assert expected in str(caught.value), changes
    load(config("tests/support/miniature.yaml", datasets=datasets))


def test_as_shipped_all_sizes_fit() -> None:
    for files in ((), ("workflow/demo.yaml",)):
        settings = load(config(*files))
        sizes = {dataset.image_size for dataset in settings.datasets.values()}
        assert not [t for s in sizes for n in settings.grid.models for t in misfits(n, settings.models[n], s)]


# Patients and slices


def dataset(source: dict[str, Any], **values: Any) -> Dataset:
    classes = [{"name": "a", "file": "f.nrrd"}]
    common = {"classes": classes, "image_size": 16, "intensity": {"kind": "as-is"}, "manifest": "t.tsv"}
    return Dataset.model_validate({**common, "source": source, **values})


def enough(settings: Dataset, test: int = 1, held_out: int = 1, figure5: bool = True) -> None:
    splits = {
        "train": ["x"],
        "held-out": [f"h{k}" for k in range(held_out)],
        "test": [f"t{k}" for k in range(test)],
    }
    check_enough("d", settings, splits, figure5=figure5)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ({"h0": [0]}, "held-out patients have 0 slices|held-out patients have 1 slices"),
        (
            {"h0": [0, 1], "t0": [0]},
            "its test patients have 1 slices, but table 3 compares at least 2 images",
        ),
        ({"h0": [0, 1], "t0": [0, 1, 2, 3, 4]}, "its only test patient has 5 slices, too few for two halves"),
        ({"h0": [0, 1], "t0": [0, 9]}, "its test patients have 2 slices, but figures 2 and 5 show 5"),
    ],
)
def test_too_few_png_slices_are_told_before_anything_runs(
    tmp_path: Path, images: dict[str, list[int]], reason: str
) -> None:
    for patient, numbers in images.items():
        folder = tmp_path / ("test" if patient.startswith("t") else "val")
        for number in numbers:
            write_grey(folder / f"{patient}_slice_{number}.png", np.zeros((4, 4), np.uint8))
    settings = dataset({"kind": "png", "images": str(tmp_path), "masks": "m"})
    with pytest.raises(ValueError, match=f"datasets.d: .*({reason})"):
        enough(settings)


def test_enough_png_slices_pass(tmp_path: Path) -> None:
    for name in [f"val/h0_slice_{k}" for k in range(2)] + [f"test/t0_slice_{k * 4}" for k in range(5)]:
        write_grey(tmp_path / f"{name}.png", np.zeros((4, 4), np.uint8))
    enough(dataset({"kind": "png", "images": str(tmp_path), "masks": "m"}))
    enough(
        dataset({"kind": "png", "images": str(tmp_path / "absent"), "masks": "m"})
    )  # told when it is listed
    with pytest.raises(ValueError, match="table 3 compares at least 2"):
        enough(dataset({"kind": "png", "images": str(tmp_path), "masks": "m"}, slices={"every": 2}))


@pytest.mark.parametrize(
    ("slices", "every", "test", "fits"),
    [
        (4, 1, 1, False),
        (9, 1, 1, True),
        (8, 1, 1, False),
        (4, 1, 2, True),
        (4, 2, 2, False),
        (24, 3, 1, False),
        (4, 4, 4, False),
    ],
)
def test_phantoms_of_few_slices(slices: int, every: int, test: int, fits: bool) -> None:
    settings = dataset({"kind": "phantom", "slices": slices}, slices={"every": every})
    if fits:
        enough(settings, test, 2)
    else:
        with pytest.raises(ValueError, match=r"datasets\.d: its (only )?test patient"):
            enough(settings, test, 2)


@pytest.mark.parametrize(("slices", "test", "fits"), [(9, 1, False), (10, 1, True), (4, 2, True)])
def test_a_measuring_half_of_one_slice_is_too_small_for_table_3(slices: int, test: int, fits: bool) -> None:
    settings = dataset({"kind": "phantom", "slices": slices})
    splits = {"train": ["x"], "held-out": ["h0", "h1"], "test": [f"t{k}" for k in range(test)]}
    check_enough("d", settings, splits, figure5=False)
    if fits:
        check_enough("d", settings, splits, figure5=False, halves_seed=0)
    else:
        with pytest.raises(ValueError, match=r"datasets\.d: the measuring half .* has 1 slices"):
            check_enough("d", settings, splits, figure5=False, halves_seed=0)


def test_how_many_slices_a_volume_has_is_not_known() -> None:
    enough(dataset({"kind": "dicom", "images": "i", "masks": "m"}))
