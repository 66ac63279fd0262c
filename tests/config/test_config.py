# ruff: noqa: E501 (a table of sentences)
"""The configuration: what loads, what is refused and in which words, and that every key has a reader."""

import copy
import inspect
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, ValidationError
from snakemake.utils import update_config

from segguided.config import datasets as data
from segguided.config import evaluation, workflow
from segguided.config.base import Settings, SettingsError
from segguided.config.datasets import Preparation
from segguided.config.models import diffusion as models
from segguided.config.models import imported, perceptual, shared_weights, spade
from segguided.config.models.training import Training
from segguided.config.sources.nifti import NiftiSource
from segguided.config.workflow import Config, load, schema

ROOT = Path(__file__).parents[2]
DELETED = object()
SHARED = {"kind": "shared_weights", "weights_of": "segguided-mat", "sampling": {"mask_ablation": "step"}}
IMPORTED = {"kind": "imported", "folder": "theirs", "conditioning": "index255"}
NIFTI = {"kind": "nifti", "folder": "ct"}
PNG = {"kind": "png", "images": "i", "masks": "m"}
SCRATCH = {"kind": "scratch", "autoencoder": {"channels": [32, 32]}, "unet": {"channels": [32, 64]}}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def demo() -> Any:
    values = read("config.yaml")
    update_config(values, read("workflow/demo.yaml"))
    update_config(values, read("workflow/demo-full.yaml"))
    return values


def both() -> Any:
    """config.yaml with the demo's datasets in its grid and beside its own."""
    values, small = read("config.yaml"), read("workflow/demo.yaml")
    update_config(small, read("workflow/demo-full.yaml"))
    values["grid"] = small["grid"]
    values["datasets"] |= small["datasets"]
    values["applications"] |= small["applications"]
    return values


def changed(path: str, value: Any) -> Any:
    """`both` with one value replaced, added or DELETED; numbers in the path index lists."""
    values = both()
    *above, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    section = values
    for part in above:
        section[part] = section = copy.deepcopy(section[part])  # anchors share sections
    if value is DELETED:
        del section[last]
    else:
        section[last] = value
    return values


def refusal(path: str, value: Any) -> str:
    with pytest.raises(ValueError, match=r"^config: ") as caught:
        load(changed(path, value))
    message = str(caught.value).removeprefix("config: ")
    assert "\n" not in message
    assert "Input should" not in message
    assert "Value error" not in message
    return message


def test_both_configurations_load() -> None:
    assert load(read("config.yaml")).models["segguided"].training.epochs == 400
    small = load(demo())
    assert small.models["segguided"].training.epochs is None
    assert small.datasets["ct-torso"].image_size == 128
    assert small.pathvars["results"] == "results/demo"


SENTENCES = [
    ("grdi", {}, "unknown key grdi; did you mean grid?"),
    ("grid/sedes", [0], "unknown key grid.sedes; did you mean seeds?"),
    ("datasets/ct-torso/x", 1, "unknown key datasets.ct-torso.x; known here: about, classes, image_size, "),
    ("datasets/ct-torso/classes/1/colour", "red", "unknown key datasets.ct-torso.classes[1].colour; did you mean color?"),
    ("datasets/breast-phantom/source/sizes", 1, "unknown key datasets.breast-phantom.source.sizes; did you mean size?"),
    ("models/spade/perceptual/encoder/training/batch_size", 0, "models.spade.perceptual.encoder.training.batch_size: expected"),
    ("models/spade/perceptual/weights", "v.pth", "unknown key models.spade.perceptual.weights; known here: encoder, kind. If another configuration file has it, for another kind: set weights to null to remove it"),
    ("models/spade/perceptual/encoder", DELETED, "models.spade.perceptual.encoder is missing; add it"),
    ("models/segguided/unet/chanels", [1], "unknown key models.segguided.unet.chanels; did you mean channels?"),
    ("models/segguided/part_size", 8, "unknown key models.segguided.part_size; it is now called micro_batch_size"),
    ("models/controlnet/latent/part_size", 8, "unknown key models.controlnet.latent.part_size; it is now called micro_batch_size"),
    ("models/spade/training/micro_batch", 8, "unknown key models.spade.training.micro_batch; it is now called micro_batch_size"),
    ("partial_masks/mask", 2, "unknown key partial_masks.mask; did you mean masks?"),
    ("partial_masks/draws", 2, "unknown key partial_masks.draws; it is now called samples_per_mask"),
    ("segmenter/training/part_size", 8, "unknown key segmenter.training.part_size; did you mean batch_size?"),
    ("pathvars", {"result": "here"}, "pathvars.result: expected 'results', 'logs' or 'benchmarks', got 'result'"),
    ("segmenter", DELETED, "segmenter is missing; add it"),
    ("segmenter", None, "segmenter: expected a section of keys with values, got nothing"),
    ("datasets", [], "datasets: expected a section of keys with values, got []"),
    ("models/segguided/schedule/timesteps", "many", "models.segguided.schedule.timesteps: expected a whole number, got 'many'"),
    ("models/segguided/schedule/timesteps", 10.5, "models.segguided.schedule.timesteps: expected a whole number, got 10.5"),
    ("models/segguided/training/learning_rate", [1], "models.segguided.training.learning_rate: expected a number, got [1]"),
    ("models/segguided/training/learning_rate", 0, "models.segguided.training.learning_rate: expected a number above 0, got 0"),
    ("models/segguided/training/learning_rate", float("inf"), "expected a finite number, got inf"),
    ("models/segguided/training/ema_decay", 1, "models.segguided.training.ema_decay: expected a number below 1, got 1"),
    ("models/segguided/training/precision", "fp16", "expected 'auto', 'bf16' or 'fp32', got 'fp16'"),
    ("models/segguided/unet/channels", 128, "models.segguided.unet.channels: expected a list such as [a, b], got 128"),
    ("models/segguided/unet/channels", [128, 0], "models.segguided.unet.channels[1]: expected a number of at least 1, got 0"),
    ("datasets/breast-phantom", {**demo()["datasets"]["breast-phantom"], "paper_column": None, "is_papers_data": True}, "is_papers_data is true, but paper_column does not say which dataset of the paper this is; name it"),
    ("evaluation/kernel_subsets", 1, "evaluation.kernel_subsets: expected a number of at least 2, got 1"),
    ("grid/seeds", [-1], "grid.seeds[0]: expected a number of at least 0, got -1"),
    ("grid/seeds", [True], "grid: seeds: expected numbers or text, got a truth value; quote a bare yes, no, on or off"),
    ("models/mine", {**SHARED, "weights_of": "spade"}, "models.mine.weights_of is 'spade'; name an image-space diffusion model with weights of its own: segguided, segguided-ema, segguided-mat, segguided-mat-ema, unconditional"),
    ("models/mine", {**SHARED, "weights_of": "segguided-mat-step"}, "weights_of is 'segguided-mat-step'; name an image-space diffusion model with weights of its own"),
    ("models/mine", {**SHARED, "sampling": {"batch_size": 3}}, "unknown key models.mine.sampling.batch_size; known here: guidance, mask_ablation, sampler, steps, timestep_spacing"),
    ("grid/models", ["segguided-mat-step", "segguided"], "grid.models names 'segguided-mat-step', which shares the weights of segguided-mat; name that, too"),
    ("sampling/mask_ablation", "step", "sampling.mask_ablation is step, but models.controlnet is no image-space diffusion model, and only their masks are ablated at each step; say so in the `sampling` of such models only"),
    ("sampling/mask_ablation", "batch", "sampling.mask_ablation: expected 'none' or 'step', got 'batch'"),
    ("similarity/model", "segguided-mat-step", "similarity.model names 'segguided-mat-step', but figure 4 samples in a way of its own; name segguided-mat, whose weights it shares"),
    ("sampling/steps", True, "sampling: steps: expected numbers or text, got a truth value"),
    ("models/theirs", {"kind": "imported", "conditioning": "none"}, "models.theirs.folder is missing; add it"),
    ("models/theirs", {**IMPORTED, "conditioning": "rgb"}, "models.theirs.conditioning: expected 'none', 'index255', 'onehot' or 'onehot_free', got 'rgb'"),
    ("models/theirs", {**IMPORTED, "unet": {"channels": [32], "patch": 2}}, "a UNet from elsewhere sees whole pixels; set patch: 1"),
    ("models/segguided/kind", "unet", "models.segguided.kind is 'unet'; the known kinds are controlnet, diffusion, imported"),
    ("grid/models", [], "grid.models: expected at least 1 in the list, got []"),
    ("grid/models", ["segguided", "segguided"], "grid.models: segguided appears twice; list each once"),
    ("grid/seeds", [0, 3, 0], "grid.seeds: 0 appears twice; list each once"),
    ("grid/models", ["spadee"], "grid.models names 'spadee'; defined: controlnet, controlnet-mat, controlnet-onehot, regression, segguided, segguided-ema, segguided-mat, segguided-mat-ema, segguided-mat-step, segguided-plus, spade, spade-mat, unconditional"),
    ("grid/datasets", ["duke"], "grid.datasets names 'duke'; defined: breast-mri, breast-phantom, breast-phantom-t2, ct-organ, ct-torso"),
    ("datasets/ct-torso/source/kind", "dcm", "datasets.ct-torso.source.kind is 'dcm'; the known kinds are ct-org, demo-ct, dicom, idc, nifti, phantom, png"),
    ("datasets/ct-torso/source", {}, "datasets.ct-torso.source.kind is missing; add one of ct-org, demo-ct, dicom, idc, nifti, phantom, png"),
    ("datasets/ct-torso/intensity/kind", ["window"], "the known kinds are as-is, percentile, window"),
    ("datasets/ct-torso/intensity/kind", DELETED, "datasets.ct-torso.intensity.kind is missing; add one of as-is, percentile, window"),
    ("datasets/ct-torso/interpolation", "linear", "datasets.ct-torso.interpolation: expected 'triangle', 'cubic', 'lanczos' or 'box', got 'linear'"),
    ("datasets/ct-torso/about/license", "CC0", "unknown key datasets.ct-torso.about.license; did you mean licence?"),
    ("datasets/ct-torso/intensity/low", 600, "datasets.ct-torso.intensity: window needs low < high, got low=600 and high=600"),
    ("datasets/breast-phantom/intensity/low", 99.9, "percentile clip needs low < high, got low=99.9 and high=99.5"),
    ("datasets/breast-phantom/intensity/high", 101, "datasets.breast-phantom.intensity.high: expected a number of at most 100, got 101"),
    ("datasets/ct-torso/classes/1/name", "body", "datasets.ct-torso.classes: class names must differ, but body appears twice; rename one"),
    ("datasets/ct-torso/classes/1/name", "left lung", "classes[1].name: expected letters, digits, '_' and '-' only"),
    ("datasets/ct-torso/classes/0/label", 2**32, "classes[0].label: expected a number of at most 4294967295, got 4294967296"),
    ("datasets/breast-phantom/classes/0/file", None, "classes breast of a phantom dataset name no file of masks; give each class its `file`"),
    ("datasets/breast-phantom/classes/2/segment", "Vessels", "belongs to two classes; give each class its own `segment`"),
    ("datasets/breast-phantom/classes/0/file", "{id}.seg.nrrd", "'{id}.seg.nrrd' may hold no placeholder but {patient}"),
    ("datasets/breast-phantom/classes/0/file", "{patient.seg.nrrd", "is no file name pattern"),
    ("datasets/ct-torso/source", {**NIFTI, "image": "{patient:03d}.nii"}, "is no file name pattern"),
    ("datasets/ct-torso/source", {**NIFTI, "mask": "mask.nii"}, "names one file for all patients; use a column, such as {patient}"),
    ("datasets/ct-torso/source", {**PNG, "ignore": [6, 3]}, "source.ignore names [3], which are labels of classes"),
    ("datasets/ct-organ/source/mirror", "http://mirror/ct-org", "datasets.ct-organ.source.mirror: expected an address that starts with https://, got 'http://mirror/ct-org'; correct it"),
    ("datasets/ct-organ/source/ignore", [5, 6], "source.ignore names [5], which are labels of classes"),
    ("datasets/ct-organ/source/folders", "x", "unknown key datasets.ct-organ.source.folders; did you mean folder?"),
    ("datasets/breast-phantom/split/test", 0, "datasets.breast-phantom.split.test: expected a number of at least 1, got 0"),
    ("datasets/breast-phantom/split", {"seed": 0, "test": 3}, "datasets.breast-phantom.split: expected both counts, held_out and test, or else a column, got held_out=None, test=3 and column=None; set"),
    ("datasets/breast-mri/split/test", 15, "got held_out=None, test=15 and column=paper_split; set one of the two, and the other to null"),
    ("datasets/breast-mri/source/masks", DELETED, "datasets.breast-mri.source.masks is missing; add it"),
    ("datasets/breast-mri/source/endpoint", "http://mirror.org", "source.endpoint: expected an address that starts with https:// (or http://localhost), got 'http://mirror.org'; correct it"),
    ("datasets/breast-mri/classes/0/file", None, "classes breast of a idc dataset name no file of masks"),
    ("models/segguided/training/steps", 5, "models.segguided.training: expected either epochs or steps, got both; set one"),
    ("models/segguided/training/epochs", None, "models.segguided.training: expected either epochs or steps, got neither; set one"),
    ("models/controlnet/init", {"kind": "pretrain"}, "models.controlnet.init.kind is 'pretrain'; the known kinds are pretrained, scratch"),
    ("models/controlnet/init/sources", "x", "unknown key models.controlnet.init.sources; did you mean source?"),
    ("models/controlnet/control/sd_locked", 3, "models.controlnet.control.sd_locked: expected true or false, got 3"),
    ("models/controlnet/control/hint_channels", [], "models.controlnet.control.hint_channels: expected at least 1 in the list, got []"),
    ("models/controlnet/init", SCRATCH | {"unet": {"channels": [32, 48]}}, "channels [48] are not multiples of norm_groups=32; change either"),
    ("models/controlnet/init", SCRATCH | {"unet": {"channels": [32], "attention_levels": [1]}}, "attention_levels names 1, but 1 levels count from 0"),
    ("models/controlnet/init", SCRATCH | {"unet": {"channels": [32], "attention_levels": [0], "attention_heads": 5}}, "32 channels at level 0 do not divide among 5 attention_heads"),
    ("models/controlnet/init", SCRATCH, "control.hint_channels has 4 levels and init.autoencoder.channels 2: mask and image must shrink alike"),
    ("models/segguided-mat/ablation_probability", 1.5, "models.segguided-mat.ablation_probability: expected a number from 0 to 1, or such a number by class name, got 1.5; it is the probability that a class is removed"),
    ("models/spade/ablation_probability", -0.1, "models.spade.ablation_probability: expected a number from 0 to 1, or such a number by class name, got -0.1;"),
    ("models/controlnet/control/ablation_probability", {"bone": 2}, "models.controlnet.control.ablation_probability: expected a number from 0 to 1, or such a number by class name, got 2 of class bone;"),
    ("models/segguided-mat/ablation_probability", "often", "expected a number from 0 to 1, or such a number by class name, got 'often'"),
    ("models/segguided-mat/ablation_probability", None, "expected a number from 0 to 1, or such a number by class name, got None"),
    ("models/segguided-mat/ablation_probability", 0, "models.segguided-mat: ablation_probability is 0, but mask_ablation is sample; give a number above 0, or set mask_ablation: none"),
    ("models/spade/ablation_probability", 0.3, "models.spade: ablation_probability is given, but mask_ablation is none, so no class is removed; set mask_ablation: sample, or remove ablation_probability"),
    ("models/spade/ablated_share", 0.3, "models.spade: ablated_share is 0.3, but mask_ablation is none; only `sample` can leave some images of a batch as they are"),
    ("models/segguided-mat/ablation_probability", {"bone": 0.1, "liver": 0.2}, "models.segguided-mat.ablation_probability names liver, but the classes of datasets.ct-torso are body, lungs, bone; name one of these, or give one number for all classes"),
    ("models/segguided-mat/ablation_probability", {"body": 0.1}, "models.segguided-mat.ablation_probability names body, but the classes of datasets.breast-phantom are breast, vessels, FGT; name"),
    ("models/segguided-mat/ablation_probability", {"body": 0, "lungs": 0, "bone": 0}, "models.segguided-mat.ablation_probability is 0 for every class of datasets.ct-torso, but mask_ablation is sample; give a class a number above 0, or set mask_ablation: none"),
    ("models/controlnet/control", {**demo()["models"]["controlnet-mat"]["control"], "mask_ablation": "sample", "ablation_probability": {"liver": 0.2}}, "models.controlnet.control.ablation_probability names liver, but the classes of datasets.ct-torso are"),
    ("models/segguided-plus/augmentation", {"shift": 0}, "models.segguided-plus.augmentation: augmentation changes nothing; give shift or mirror, or set it to null"),
    ("models/spade/augmentation", {"shift": 2}, "models.spade.augmentation.shift: expected a number below 1, got 2"),
    ("models/segguided/augmentation", {"contrast": 0.1}, "unknown key models.segguided.augmentation.contrast"),
    ("models/segguided/unet/norm_groups", 48, "are not multiples of norm_groups=48; change either"),
    ("models/segguided/unet/attention_levels", [6], "attention_levels [6] do not exist; 6 levels count from 0"),
    ("models/segguided/schedule/beta_start", 0.5, "noise must grow, got beta_start=0.5 above beta_end=0.02; swap them"),
    ("sampling/steps", 1001, "sampling.steps is 1001, but the noise schedule of models.controlnet has only 1000 timesteps; lower the one or raise the other"),
    ("datasets/ct-torso/image_size", 240, "datasets.ct-torso.image_size is 240, which the levels of models."),
    ("datasets/ct-torso/partial_masks", [["liver"]], "partial_masks: expected some, not all, of body, lungs, bone, each once, got ['liver']; correct it"),
    ("datasets/ct-torso/partial_masks", [["body", "lungs", "bone"]], "expected some, not all, of body, lungs, bone"),
    ("datasets/ct-torso/rare_class", "liver", "rare_class is 'liver', but the classes are body, lungs, bone; name one of them"),
    ("partial_masks/models", ["nothing"], "partial_masks.models names 'nothing', but only models that see a mask (controlnet, controlnet-onehot, controlnet-mat, segguided, "),
    ("partial_masks/models", ["unconditional"], "partial_masks.models names 'unconditional', but only models that see a mask ("),
    ("applications/partial_model", "unconditional", "spade, spade-mat) can generate from partial masks; name one of them"),
    ("similarity/model", "spade-mat", "similarity.model names 'spade-mat', but only image-space diffusion models with a mask (segguided, segguided-ema, segguided-mat, segguided-mat-ema, segguided-mat-step, segguided-plus) can generate from noised images"),
    ("similarity/model", "nothing", "similarity.model names 'nothing', but only image-space diffusion models"),
    ("similarity/timestep", 250, "similarity.timestep is 250, which 50 DDIM steps of 1000 never reach; choose steps so that it is a multiple of 1000 // steps"),
    ("similarity/lambdas", [1, 0.5], "similarity.lambdas: expected rising values, got [1.0, 0.5]; sort them, each once"),
    ("applications/model", "unconditional", "applications.model names 'unconditional', but only image-space diffusion models"),
    ("applications/counterfactuals/classes", {"duke": "FGT"}, "applications.counterfactuals.classes names 'duke'; choose one of "),
    ("applications/counterfactuals/classes", {"breast-mri": "lesion"}, "applications.counterfactuals.classes.breast-mri is 'lesion'; choose one of its classes, breast, vessels, FGT"),
    ("applications/counterfactuals/edits", ["grow", "grow"], "applications.counterfactuals.edits: expected different edits, got grow, grow; list each once"),
    ("applications/counterfactuals/edits", ["twist"], "applications.counterfactuals.edits[0]: expected 'remove', 'grow', 'shrink', 'move' or 'other', got 'twist'"),
    ("applications/counterfactuals/timestep", 1000, "applications.counterfactuals.timestep is 1000, but the noise schedule of models.segguided-plus has only 1000 timesteps; lower it"),
    ("applications/translation_start/timestep", 1000, "applications.translation_start.timestep is 1000, but the noise schedule of models.segguided-plus has only 1000 timesteps; lower it"),
    ("applications/translations/0/masks", "duke", "applications.translations: masks is 'duke'; choose one of "),
    ("applications/translations/0/dataset", "mr", "applications.translations: dataset is 'mr'; choose one of "),
    ("datasets/breast-phantom-t2/image_size", 64, "breast-phantom-t2 and breast-phantom differ in image_size; make it equal"),
    ("segmenter/channels", [1] * 10, "image_size is 128, which the levels of segmenter cannot halve evenly; choose a multiple of 512"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), SENTENCES)
def test_a_mistake_gets_one_sentence_with_path_value_and_remedy(path: str, value: Any, expected: str) -> None:
    assert expected in refusal(path, value)


@pytest.mark.parametrize("name", ["ct torso", "a/b", "..", "", "-flag", "größe", "a.b", "{x}"])
@pytest.mark.parametrize("section", ["datasets", "models"])
def test_names_that_would_make_bad_folders_are_refused(section: str, name: str) -> None:
    values = read("config.yaml")
    values[section][name] = copy.deepcopy(next(iter(values[section].values())))
    with pytest.raises(ValueError, match="expected letters, digits, '_' and '-' only") as caught:
        load(values)
    assert f"the name {section}" in str(caught.value)


def test_a_number_as_a_name_is_refused() -> None:
    values = read("config.yaml")
    values["datasets"][7] = values["datasets"]["ct-organ"]
    with pytest.raises(ValueError, match="expected text, in quotes where it looks like a number, got 7"):
        load(values)


def test_no_model_may_be_called_real() -> None:
    values = read("config.yaml")
    values["models"]["real"] = values["models"]["segguided"]
    with pytest.raises(
        ValueError, match=r"models\.real: this name stands for the real images; choose another"
    ):
        load(values)


def test_each_mistake_has_its_line() -> None:
    values = changed("grid/seeds", [-1])
    values["segmenter"]["channels"] = "big"
    with pytest.raises(ValueError, match="grid") as caught:
        load(values)
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == [
        " grid.seeds[0]",
        " segmenter.channels",
    ]


def test_labels_of_nifti_classes_must_differ() -> None:
    classes = [{"name": "liver", "label": 1}, {"name": "lungs", "label": 1}]
    with pytest.raises(ValidationError, match="label 1 belongs to two classes"):
        Preparation.model_validate(
            {
                "source": NIFTI,
                "classes": classes,
                "image_size": 64,
                "intensity": {"kind": "window", "low": 0, "high": 1},
            }
        )


def test_exponents_without_a_point_are_numbers() -> None:
    """YAML reads 1e-4 as text."""
    assert isinstance(yaml.safe_load("1e-4"), str)
    config = load(changed("models/segguided/training/learning_rate", "1e-4"))
    assert config.models["segguided"].training.learning_rate == 1e-4


def test_settings_do_not_change() -> None:
    config = load(read("config.yaml"))
    with pytest.raises(ValidationError, match="frozen"):
        config.sampling.steps = 1
    with pytest.raises(TypeError, match="does not support item assignment"):
        config.grid.seeds[0] = 1  # type: ignore[index]


def test_json_is_stable_and_round() -> None:
    config = load(read("config.yaml"))
    backwards = load(
        json.loads(json.dumps(read("config.yaml")), object_pairs_hook=lambda pairs: dict(pairs[::-1]))
    )
    assert backwards.to_json() == config.to_json()
    assert Config.from_json(config.to_json()) == config
    for model in config.models.values():
        assert type(model).from_json(model.to_json()) == model


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "JSON"), ('{"steps": 1, "batch_size": 0}', "batch_size"), ("[]", "text")]
)
def test_refused_json_names_the_key(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"not the settings of a Training .*{reason}"):
        Training.from_json(text)


def preparation(path: str, value: Any) -> str:
    return load(changed(path, value)).datasets["ct-torso"].preparation_json()


def test_a_colour_prepares_nothing_again_but_a_size_does() -> None:
    before = load(both()).datasets["ct-torso"].preparation_json()
    for path, value in (
        ("classes/0/color", "teal"),
        ("classes/1/title", "Leber, rechts 肝"),
        ("manifest", "other.tsv"),
        ("paper_column", None),
        ("about", {"licence": "CC0"}),
    ):
        assert preparation(f"datasets/ct-torso/{path}", value) == before
    renamed = changed("applications/counterfactuals/classes", {})  # it names the lungs
    renamed["datasets"]["ct-torso"]["classes"][1]["name"] = "airways"
    assert load(renamed).datasets["ct-torso"].preparation_json() == before
    for path, value in (
        ("image_size", 64),
        ("interpolation", "cubic"),
        ("slices", {"every": 2}),
        ("source", PNG),
    ):
        assert preparation(f"datasets/ct-torso/{path}", value) != before


def test_another_server_prepares_nothing_again() -> None:
    before = load(read("config.yaml")).datasets["breast-mri"].preparation_json()
    for key, value, same in (("endpoint", "https://mirror.org", True), ("masks", "elsewhere", False)):
        after = load(changed(f"datasets/breast-mri/source/{key}", value)).datasets["breast-mri"]
        assert (after.preparation_json() == before) == same
        assert after.source.to_json() != load(read("config.yaml")).datasets["breast-mri"].source.to_json()


@pytest.mark.parametrize("endpoint", ["ftp://h", "https://", "//h", "http://127.0.0.1.evil.org", "file:///x"])
def test_only_encrypted_servers_and_this_machine(endpoint: str) -> None:
    assert "expected an address that starts with https://" in refusal(
        "datasets/breast-mri/source/endpoint", endpoint
    )


def test_a_nifti_source_has_default_patterns() -> None:
    assert NiftiSource.model_validate(NIFTI).image == "{patient}.nii.gz"


def settings_classes() -> list[type[BaseModel]]:
    return [
        value
        for module in (data, evaluation, imported, models, perceptual, shared_weights, spade, workflow)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value is not Settings
    ]


def test_every_field_is_read_somewhere() -> None:
    """As an attribute, in code outside the settings' own modules, whose checks would read any field.

    A source's raw_files, which names files to the workflow, counts too.
    """
    files = [*ROOT.glob("scripts/**/*.py"), *ROOT.glob("workflow/*/*.smk")]
    settings = ROOT / "scripts/segguided/config"
    code = "\n".join(path.read_text() for path in files if not path.is_relative_to(settings))
    code += "".join(inspect.getsource(c.raw_files) for c in settings_classes() if hasattr(c, "raw_files"))
    elsewhere = {"pathvars"}  # Snakemake itself reads it
    attributes = set(re.findall(r"\.(\w+)", code)) | elsewhere
    fields = {(c.__name__, name) for c in set(settings_classes()) for name in c.model_fields}
    assert len(fields) > 40
    assert not sorted(f"{owner}.{name}" for owner, name in fields if name not in attributes)


def test_the_editor_schema_is_in_step_and_accepts_the_configurations() -> None:
    path = ROOT / "workflow/config.schema.json"
    written = json.loads(path.read_text())
    assert written == schema(), "write it again: path.write_text(json_text(path, schema()))"
    for values in (read("config.yaml"), demo()):
        jsonschema.Draft202012Validator(written).validate(values)
    with pytest.raises(jsonschema.ValidationError) as refused:
        jsonschema.validate(changed("models/spadee", 3), written)
    assert list(refused.value.absolute_path) == ["models", "spadee"]


def test_a_title_is_for_the_eye_and_decides_no_training() -> None:
    titled = load(changed("models/segguided/title", "Ours")).models["segguided"]
    assert titled.title == "Ours"
    assert titled.training_json() == load(read("config.yaml")).models["segguided"].training_json()
    assert "title" not in titled.training_json()


ROW = {"patient": "p1", "image": "a.nii.gz", "package": "tool==1.0"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "dicom", "images": "i", "masks": "m"}, ["i/p1", "m"]),
        ({"kind": "nifti", "folder": "f", "image": "{image}"}, ["f/a.nii.gz", "f/p1_mask.nii.gz"]),
        ({"kind": "png", "images": "i", "masks": "m"}, ["i", "m"]),
        ({"kind": "phantom"}, ["<results>/raw/d/receipts/p1.json"]),
        ({"kind": "idc", "masks": "m"}, ["<results>/raw/d/receipts/p1.json"]),
        ({"kind": "demo-ct"}, ["<results>/downloads/tool==1.0.tar.gz"]),
        ({"kind": "ct-org", "folder": "f"}, ["<results>/raw/d/receipts/p1.json"]),
    ],
)
def test_each_source_names_a_patients_files(source: dict[str, str], expected: list[str]) -> None:
    anatomy = {"name": "a", "file": "{patient}.seg.nrrd"}
    anatomy |= {"label": 1} if source["kind"] in ("nifti", "ct-org") else {}
    of_the_demo = [{"name": name} for name in ("body", "lungs", "bone")]
    preparation = {"classes": of_the_demo if source["kind"] == "demo-ct" else [anatomy], "image_size": 32}
    window = {"kind": "window", "low": 0, "high": 1}
    read = Preparation.model_validate({**preparation, "source": source, "intensity": window}).source
    assert read.raw_files(ROW, "d") == expected


def test_a_pattern_of_a_column_the_table_lacks_is_named() -> None:
    source = NiftiSource(kind="nifti", folder="f", image="{scan}.nii.gz")
    source.check_columns(["patient", "scan"], "table.tsv")
    with pytest.raises(ValueError, match=r"table\.tsv: no column scan, .* there are patient, image"):
        source.check_columns(["patient", "image"], "table.tsv")


@pytest.mark.parametrize(("unet", "stride"), [(None, 1), ({"channels": [32, 64, 64]}, 4)])
def test_an_imported_model_has_the_stride_of_the_architecture_it_states(unet: Any, stride: int) -> None:
    model = load(changed("models/theirs", {**IMPORTED, "unet": unet})).models["theirs"]
    assert (model.stride, model.timesteps) == (stride, 1000)


def with_row(**sampling: Any) -> Any:
    """`both` with a row in the grid that shares the weights of segguided and samples as given."""
    values = both()
    values["models"]["row"] = {"kind": "shared_weights", "weights_of": "segguided", "sampling": sampling}
    values["grid"] = values["grid"] | {"models": ["segguided", "row"]}
    return values


def test_a_row_of_shared_weights_has_the_network_of_the_other_and_its_own_sampling() -> None:
    config = load(with_row(steps=7))
    assert config.weights_of("row") == config.weights_of("segguided") == "segguided"
    assert config.trained("row") is config.models["segguided"]
    assert config.guided_models == ["segguided", "row"]
    assert config.sampling_of("segguided") == config.sampling
    assert config.sampling_of("row") == config.sampling.model_copy(update={"steps": 7})
    shipped = load(read("config.yaml"))
    assert shipped.sampling_of("segguided-mat-step").mask_ablation == "step"
    assert shipped.sampling_of("segguided-mat").mask_ablation == "none"


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (
            {"steps": 1001},
            r"models\.row\.sampling\.steps is 1001, but the noise schedule of models\.segguided ",
        ),
        (
            {"mask_ablation": "step"},
            r"models\.row\.sampling\.mask_ablation is step, but models\.segguided is ",
        ),
    ],
)
def test_a_row_cannot_sample_as_its_network_cannot(sampling: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        load(with_row(**sampling))


def test_masks_may_be_ablated_at_each_step_wherever_training_did_and_where_there_are_no_steps() -> None:
    values = both()
    values["sampling"]["mask_ablation"] = "step"
    values["models"]["theirs"] = {**IMPORTED, "mask_ablation": "batch"}
    values["grid"] = values["grid"] | {"models": ["segguided-mat", "spade", "theirs"]}
    assert load(values).sampling_of("theirs").mask_ablation == "step"
    values["models"]["theirs"]["mask_ablation"] = "none"
    with pytest.raises(ValueError, match=r"models\.theirs is trained on whole masks"):
        load(values)


def test_the_settings_shown_in_the_pages_load() -> None:
    paths = set((ROOT / "workflow/docs").glob("*.md"))
    paths -= {ROOT / "workflow/docs/extending.md"}  # its settings need code that the page describes
    pages = [path.read_text() for path in sorted(paths)]
    blocks = [
        yaml.safe_load(block) for page in pages for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ]
    shown = [block for block in blocks if block.keys() & read("config.yaml").keys()]  # others are profiles
    (mine,) = [block for block in shown if "source" in block.get("datasets", {}).get("my-ct", {})]
    assert len(shown) >= 2
    for block in shown:
        values = read("config.yaml")
        update_config(values, copy.deepcopy(mine))  # a page may change a value of this dataset
        update_config(values, block)
        load(values)


def test_what_the_grid_leaves_out_is_left_out_of_the_figures_and_applications() -> None:
    whole = load(both())
    assert whole.partial_models == ["segguided-mat", "segguided"]
    assert whole.partial_datasets == whole.similar_datasets == ["ct-torso", "breast-phantom"]
    assert [translation.masks for translation in whole.translations] == ["breast-phantom-t2"]
    less = load(changed("grid", {"datasets": ["ct-torso"], "models": ["unconditional"], "seeds": [0]}))
    assert less.partial_models == less.similar_datasets == less.translations == less.guided_models == []
    assert whole.guided_models == [
        "controlnet",
        "spade",
        "segguided-mat",
        "segguided",
        "segguided-plus",
        "regression",
    ]
    assert load(changed("datasets/ct-torso/partial_masks", [])).partial_datasets == ["breast-phantom"]


def test_applications_may_use_a_model_that_shares_weights() -> None:
    """Its own way to sample makes rare cases and translations; images mixed with real ones have one of theirs."""
    values = read("config.yaml")
    values["applications"]["model"] = "segguided-mat-step"
    assert load(values).applications.model == "segguided-mat-step"
