"""Fine-tuning begins with the function that the trained network computes, classes matched by name."""

import json

import pytest
import torch
from diffusers import UNet2DModel

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.init_from import InitFrom
from segguided.config.models.spade import SpadeModel
from segguided.models.denoiser import ImportedDenoiser, build_denoiser
from segguided.models.fine_tuning.beginning import begin_denoiser, begin_generator
from segguided.models.fine_tuning.channels import Inputs, channel_map
from segguided.models.foreign import unet_config
from segguided.models.spade import Generator
from segguided.training.storage import save_network

SIZE = 16
UNET = {"channels": (8, 8), "norm_groups": 4, "layers_per_block": 1}
DECODER = {"channels": (8, 8), "modulation_channels": 4}
TRAINING = {"steps": 1, "batch_size": 1, "learning_rate": 1e-3}
SPADE = SpadeModel.model_validate(
    {
        "kind": "spade",
        "generator": {"channels": (8, 8), "modulation_channels": 4},
        "perceptual": {"kind": "none"},
        "losses": {"perceptual": 0},
        "training": {"steps": 1, "batch_size": 1},
    }
)
OLD = ("liver", "bone")
NEW = ("tumour", "bone", "liver")  # another order, and a class that the trained network does not know
NEW_VALUES = torch.tensor([0, 3, 2])  # old mask value -> new mask value


def model(conditioning="onehot", **more):
    values = {"kind": "diffusion", "conditioning": conditioning, "unet": UNET, "training": TRAINING}
    if conditioning == "onehot_free":
        values["mask_ablation"] = "sample"
    return DiffusionModel.model_validate(values | more)


def write_run(folder, settings, classes=OLD, run_json=True, channels=1):
    torch.manual_seed(0)
    network = build_denoiser(settings, len(classes), SIZE, channels).eval()
    description = {
        "kind": "diffusion", "model": settings.model_dump(), "n_classes": len(classes), "image_size": SIZE,
        "channels": channels,
    }  # fmt: skip
    save_network(network, folder / "model.safetensors", description)
    if run_json:
        names = [{"name": name, "value": value} for value, name in enumerate(classes, 1)]
        (folder / "run.json").write_text(json.dumps({"classes": names}))
    return network


def begin(run_folder, settings, now=NEW, channels=1, **values):
    torch.manual_seed(1)
    network = build_denoiser(settings, len(now), SIZE, channels).eval()
    init_from = InitFrom.model_validate({"run": str(run_folder)} | values)
    return network, begin_denoiser(network, settings, now, SIZE, init_from)


def batch(settings, channels=1):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, channels * (1 + settings.noise_inputs), SIZE, SIZE, generator=generator)
    mask = torch.randint(0, len(OLD) + 1, (2, SIZE, SIZE), generator=generator)
    return x, torch.tensor([0, 500]), mask


@torch.no_grad()
def predictions(old_network, new_network, settings):
    x, t, mask = batch(settings, old_network.channels)
    return old_network(x, t, mask), new_network(x, t, NEW_VALUES[mask])


PLUS = {
    "prediction_type": "sample",
    "unet": None,
    "decoder": DECODER,
    "losses": {"squared_error": 0, "energy_score": {"levels": 2}},
}


@pytest.mark.parametrize(
    ("before", "now", "more"),
    [
        ("onehot", "onehot", {}),
        ("onehot", "onehot_free", {}),
        ("index255", "onehot", {}),
        ("index255", "onehot_free", {}),
        ("none", "onehot", {}),
        ("onehot_free", "onehot_free", {}),
        ("onehot", "onehot", {"unet": {**UNET, "patch": 2}}),
        ("onehot", "onehot_free", PLUS),
    ],
)
def test_the_same_masks_give_the_same_predictions(tmp_path, before, now, more):
    old = write_run(tmp_path, model(before, **more))
    network, record = begin(tmp_path, model(now, **more))
    expected, got = predictions(old, network, model(now, **more))
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)
    assert record["kind"] == "diffusion"
    assert len(record["weights_sha256"]) == 64
    assert record["classes"] == list(NEW)
    assert "class 'tumour'" in record["new_channels"]


@pytest.mark.parametrize("more", [{}, {"unet": {**UNET, "patch": 2}}, PLUS])
def test_networks_of_two_channels_begin_from_one_another_and_from_no_other(tmp_path, more):
    settings = model("onehot", **more)
    old = write_run(tmp_path, settings, channels=2)
    network, record = begin(tmp_path, settings, channels=2)
    expected, got = predictions(old, network, settings)
    assert got.shape == (2, 2, SIZE, SIZE)
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)
    assert record["left_channels"] == []
    with pytest.raises(
        ValueError, match="makes images of 2 channels, but the dataset's have 1; begin from a"
    ):
        begin(tmp_path, settings)


def test_a_new_class_has_no_effect_before_training(tmp_path):
    write_run(tmp_path, model())
    network, _ = begin(tmp_path, model())
    column = network.unet.conv_in.weight[:, 1 + 1]  # after the noisy image and the background
    assert not column.any()
    assert network.unet.conv_in.weight[:, 1 + 2].any()


def test_index255_keeps_its_values_or_is_refused(tmp_path):
    old = write_run(tmp_path, model("index255"))
    network, _ = begin(tmp_path, model("index255"), now=(*OLD, "tumour"))
    x, t, mask = batch(model())
    with torch.no_grad():
        assert torch.equal(old(x, t, mask), network(x, t, mask))
    with pytest.raises(
        ValueError, match=r"bone is mask value 2 in .*, but 1 here, and conditioning: index255"
    ):
        begin(tmp_path, model("index255"), now=("bone", "tumour"))


def test_an_imported_run_is_a_beginning(tmp_path):
    torch.manual_seed(0)
    unet = UNet2DModel.from_config(unet_config(build_denoiser(model("index255"), 2, SIZE).unet))
    network = ImportedDenoiser(unet, "index255", 2).eval()
    imported = {"conditioning": "index255", "prediction_type": "epsilon"}
    save_network(
        network,
        tmp_path / "model.safetensors",
        {
            "kind": "imported",
            "model": imported,
            "unet": unet_config(unet),
            "n_classes": 2,
            "image_size": SIZE,
        },
    )
    (tmp_path / "run.json").write_text(json.dumps({"classes": [{"name": name} for name in OLD]}))
    new, record = begin(tmp_path, model())
    assert record["kind"] == "imported"
    expected, got = predictions(network, new, model())
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)


def test_a_folder_of_the_authors_layout_is_a_beginning(tmp_path):
    torch.manual_seed(0)
    old = build_denoiser(model("index255"), 2, SIZE).eval()
    old.unet.save_pretrained(tmp_path / "unet")
    network, record = begin(None, model(), run=None, folder=str(tmp_path), classes=OLD)
    expected, got = predictions(old, network, model())
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)
    assert record["folder"] == str(tmp_path)
    assert [len(digest) for digest in record["weights_sha256"]] == [64]


def test_a_spade_generator_is_a_beginning(tmp_path):
    torch.manual_seed(0)
    old = Generator(SPADE.generator, 2, SIZE).eval()
    description = {"kind": "spade", "model": SPADE.model_dump(), "n_classes": 2, "image_size": SIZE}
    save_network(old, tmp_path / "model.safetensors", description)
    network = Generator(SPADE.generator, 3, SIZE).eval()
    begin_generator(network, NEW, SIZE, InitFrom(run=str(tmp_path), classes=OLD))
    _, _, mask = batch(model())
    with torch.no_grad():
        torch.testing.assert_close(network(NEW_VALUES[mask]), old(mask), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("before", "now", "values", "message"),
    [
        (
            {},
            {"unet": {**UNET, "channels": (8, 16)}},
            {},
            "another architecture: unet.* is .* there and .* here",
        ),
        ({}, {"unet": {**UNET, "norm_groups": 2}}, {}, "norm_num_groups is 4 there and 2 here"),
        ({}, {"unet": {**UNET, "patch": 2}}, {}, "another architecture: unet.conv_in.weight is 8×5"),
        (
            {},
            {"prediction_type": "v_prediction"},
            {},
            "predicts epsilon, but this model's prediction_type is v_pred",
        ),
        (PLUS, {"prediction_type": "sample"}, {}, "is a decoder, but this model is a unet"),
        (
            {},
            {"conditioning": "index255"},
            {},
            "sees a channel for each class, which cannot become the one of",
        ),
        (
            {},
            {},
            {"classes": ["a", "b"]},
            "knows the classes a, b, none of which is among tumour, bone, liver",
        ),
        ({}, {}, {"classes": ["liver"]}, "knows 2 classes, but 1 are named"),
    ],
)
def test_another_network_is_refused_in_one_sentence(tmp_path, before, now, values, message):
    write_run(tmp_path, model(**before))
    with pytest.raises(ValueError, match=message) as refused:
        begin(tmp_path, model(**now), **values)
    assert "\n" not in str(refused.value)


def test_a_run_must_say_its_classes(tmp_path):
    write_run(tmp_path, model(), run_json=False)
    with pytest.raises(
        ValueError, match=r"has no run.json, so the names of its 2 classes are not known; list"
    ):
        begin(tmp_path, model())


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected .*model.safetensors, but there is none; name the folder"):
        begin(tmp_path, model())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "expected either run or folder, got neither"),
        ({"run": "a", "folder": "b"}, "expected either run or folder, got both"),
        ({"folder": "b"}, "do not say which classes they know; list `classes`"),
        ({"run": "a", "classes": ["x", "x"]}, "names one twice"),
    ],
)
def test_settings_that_name_no_beginning_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        InitFrom.model_validate(values)


def test_a_model_without_a_beginning_is_written_as_before():
    plain = model()
    tuned = model(init_from={"run": "runs/x"})
    assert "init_from" not in plain.model_dump()
    assert tuned.model_dump() == plain.model_dump()
    assert tuned.training_json() == plain.training_json()


def test_channels_keep_their_names():
    old = Inputs("onehot", ("a",), before=("x",))
    new = Inputs("onehot_free", ("b", "a"), before=("x", "noise 0"))
    rows, columns = channel_map(old, new).nonzero(as_tuple=True)
    named = [(new.channels[n], old.channels[o]) for n, o in zip(rows, columns, strict=True)]
    assert named == [("x", "x"), ("class 0", "class 0"), ("class 'a'", "class 'a'")]
