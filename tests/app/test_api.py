"""The public functions: the script's bytes from arrays, one sentence for a wrong use, the page's example."""

import inspect
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from generate import generate
from segguided import api
from segguided.api import dice, load_model, load_segmenter
from segguided.app.run_folder import write_run_facts
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.data.formats.png import read_grey
from segguided.evaluation.prediction import predict
from segguided.models.segmenter import build_segmenter
from segguided.training.storage import WEIGHTS_KEY, read_description, save_network
from support.completers import tiny_completer
from support.tiny_sets import tiny_denoiser
from train_completer import train_completer

PAGE = Path(__file__).parents[2] / "workflow/docs/python.md"


@pytest.fixture
def model(run_folder):
    return load_model(run_folder)


@pytest.fixture
def segmenter_folder(tmp_path):
    settings = Segmenter(channels=(4, 8, 16), training=Training(steps=1, batch_size=1, learning_rate=1e-3))
    torch.manual_seed(1)
    folder = tmp_path / "segmenter"
    folder.mkdir()
    description = {"segmenter": settings.model_dump(), "n_classes": 2}
    save_network(build_segmenter(settings, 2), folder / "model.safetensors", description)
    return folder


def some_masks(count=3):
    return np.random.default_rng(5).integers(0, 3, (count, 16, 16), np.uint8)


def pictures(folder, names):
    return np.stack([read_grey(folder / f"{name}.png") for name in names])


@pytest.mark.parametrize("options", [{}, {"free": ["a"]}, {"steps": 2}])
def test_arrays_give_the_very_bytes_of_the_script(model, run_folder, png_masks, tmp_path, options):
    names = sorted(path.stem for path in png_masks.iterdir())
    generate(run_folder, png_masks, tmp_path / "out", noise_seeds=[0, 3], **options)
    made = model.generate(pictures(png_masks, names), seeds=[0, 3], names=names, **options)
    assert made.images.shape == made.masks.shape == (2, 10, 16, 16)
    for images_NHW, seed in zip(made.images, (0, 3), strict=True):
        written = pictures(tmp_path / "out/images", [f"{name}_seed{seed}" for name in names])
        assert np.array_equal(images_NHW, written)
    assert not np.array_equal(made.images[0], made.images[1])


@pytest.mark.parametrize("options", [{}, {"free": ["a"]}])
def test_several_images_of_each_mask_are_those_of_the_command(
    model, run_folder, png_masks, tmp_path, options
):
    names = sorted(path.stem for path in png_masks.iterdir())
    generate(run_folder, png_masks, tmp_path / "out", images_per_mask=3, **options)
    made = model.generate(pictures(png_masks, names), names=names, images_per_mask=np.int64(3), **options)
    assert made.images.shape == made.masks.shape == (3, 10, 16, 16)
    for number, images_NHW in enumerate(made.images):
        written = pictures(tmp_path / "out/images", [f"{name}_{number}" for name in names])
        assert np.array_equal(images_NHW, written)
    assert len({images_NHW.tobytes() for images_NHW in made.images}) == 3


def test_images_of_the_first_seed_come_first(model):
    masks = some_masks()
    made = model.generate(masks, seeds=[0, 3], images_per_mask=2)
    assert made.images.shape == (4, 3, 16, 16)
    for place, seed in ((0, 0), (2, 3)):
        alone = model.generate(masks, seeds=seed, images_per_mask=2)
        assert np.array_equal(made.images[place : place + 2], alone.images)


def test_without_options_the_images_are_those_of_the_run_s_seed(model):
    masks = some_masks()
    made = model.generate(masks)
    assert made.images.dtype == np.uint8 and made.images.shape == (1, 3, 16, 16)
    assert np.array_equal(made.masks, masks[np.newaxis])
    named = model.generate(masks, seeds=np.int64(3), names=["000000", "000001", "000002"], steps=np.int64(3))
    assert np.array_equal(made.images, named.images)
    assert not np.array_equal(made.images, model.generate(masks, names=["x", "y", "z"]).images)


def test_free_classes_are_not_in_the_masks_that_are_followed(model):
    masks = some_masks()
    made = model.generate(masks, free="a")
    assert np.array_equal(made.masks[0], np.where(masks == 1, 0, masks))
    assert np.array_equal(made.images, model.generate(masks, free=["a"]).images)


def test_completed_masks_are_those_of_the_script(model, run_folder, png_masks, tmp_path):
    (run_folder / "completer").mkdir()
    weights = run_folder / "completer/model.safetensors"
    train_completer([run_folder / "p.npz"], tiny_completer(steps=2), 2, True, 0, weights)
    (run_folder / "run.json").unlink()
    facts = model._run.facts.model_copy(update={"completer": "elsewhere/model.safetensors"})
    write_run_facts(run_folder / "run.json", facts)
    names = sorted(path.stem for path in png_masks.iterdir())
    generate(run_folder, png_masks, tmp_path / "out", free=["b"])
    made = load_model(run_folder).generate(pictures(png_masks, names), names=names, free=["b"])
    assert np.array_equal(made.images[0], pictures(tmp_path / "out/images", names))
    assert np.array_equal(made.masks[0], pictures(tmp_path / "out/masks", names))
    shutil.rmtree(weights.parent)
    with pytest.raises(ValueError, match="the mask completer of mine is missing"):
        load_model(run_folder).generate(some_masks(), free=["b"])


def test_a_model_says_what_it_is(model):
    assert (model.name, model.dataset, model.kind) == ("mine", "tiny", "diffusion")
    assert model.classes == {"a": 1, "b": 2}
    assert model.titles == {"a": "Fibroglandular tissue", "b": "b"}
    assert (model.image_size, model.seed) == (16, 3)


def test_masks_unlike_those_of_training_are_named_and_logged(model, caplog):
    masks = np.zeros((1, 16, 16), np.uint8)
    masks[0, 0, 0] = 2
    sentences = model.unlike_training(masks, ["odd"])
    assert any(text.startswith("odd: b covers 0.39% of the image, in training ") for text in sentences)
    model.generate(masks, names=["odd"])
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == sentences


def mask_of(value=0, shape=(1, 16, 16), dtype=np.uint8):
    return np.full(shape, value, dtype)


@pytest.mark.parametrize(
    ("masks", "options", "words"),
    [
        (mask_of().tolist(), {}, r"expected `masks` as a NumPy array of uint8 .* got list"),
        (mask_of(dtype=np.int64), {}, r"got int64 \(1, 16, 16\)"),
        (mask_of(shape=(16, 16)), {}, r"with the shape \(N, height, width\), got uint8 \(16, 16\)"),
        (mask_of(shape=(0, 16, 16)), {}, r"got uint8 \(0, 16, 16\)"),
        (mask_of(shape=(1, 16, 8)), {}, r"expected masks of 16 × 16 pixels, .* shape \(1, 16, 8\)"),
        (mask_of(3), {}, "hold the value 3, but the model knows 0 background, 1 a, 2 b"),
        (mask_of(), {"names": ["x", "y"]}, "a name for each of 1 masks, all different, got 2 names"),
        (mask_of(shape=(2, 16, 16)), {"names": ["x", "x"]}, "got 2 names, 1 different ones"),
        (mask_of(), {"names": [1]}, "expected texts as `names`, got 1"),
        (mask_of(), {"seeds": []}, "`seeds` is empty"),
        (mask_of(), {"seeds": [1, 1]}, "the noise seeds are 1, 1; give different numbers from 0"),
        (mask_of(), {"seeds": -1}, "the noise seeds are -1"),
        (mask_of(), {"seeds": 1.5}, "expected whole numbers as `seeds`, got 1.5"),
        (mask_of(), {"seeds": [None]}, "expected whole numbers as `seeds`, got None"),
        (mask_of(), {"steps": 0}, "0 sampling steps were asked for"),
        (mask_of(), {"steps": 2000}, "the noise schedule has 1000 timesteps"),
        (mask_of(), {"steps": "3"}, "expected whole numbers as `steps`, got '3'"),
        (mask_of(), {"images_per_mask": 0}, "0 images of each mask were asked for; ask for 1 or more"),
        (mask_of(), {"images_per_mask": 2.0}, "expected whole numbers as `images_per_mask`, got 2.0"),
        (mask_of(), {"free": "liver"}, "liver cannot be free: the model's classes are a, b"),
    ],
)
def test_what_cannot_be_generated_is_refused_in_one_sentence(model, masks, options, words):
    with pytest.raises(ValueError, match=words) as refused:
        model.generate(masks, **options)
    assert "\n" not in str(refused.value)


def test_other_weights_in_the_same_folder_are_seen(model, run_folder):
    """Neither the loaded model nor one that is loaded anew may give images of weights that are gone."""
    weights = run_folder / "model.safetensors"
    before = model.generate(some_masks()).images
    network = tiny_denoiser()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.5)
    description = read_description(weights)
    del description[WEIGHTS_KEY]
    save_network(network, weights, description)
    with pytest.raises(ValueError, match="has changed since it was loaded; load the model again"):
        model.generate(some_masks())
    with pytest.raises(ValueError, match="was written for other weights"):
        load_model(run_folder)
    changed = {"weights_sha256": read_description(weights)[WEIGHTS_KEY]}
    (run_folder / "run.json").unlink()
    write_run_facts(run_folder / "run.json", model._run.facts.model_copy(update=changed))
    assert not np.array_equal(load_model(run_folder).generate(some_masks()).images, before)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "expected the folder of a trained model, but there is none"),
        (lambda folder: (folder / "run.json").unlink(), "has no run.json"),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            "model.safetensors: expected the model's weights, but there are none",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "checksum"),
    ],
)
def test_a_folder_without_a_model_is_refused(run_folder, spoil, words):
    spoil(run_folder)
    with pytest.raises(ValueError, match=words):
        load_model(str(run_folder))


def test_a_segmenter_finds_what_the_pipeline_finds(segmenter_folder):
    images = np.random.default_rng(2).integers(0, 256, (70, 16, 24), np.uint8)
    segmenter = load_segmenter(segmenter_folder)
    found = segmenter.segment(images)
    assert found.dtype == np.uint8 and found.shape == images.shape
    assert segmenter.n_classes == 2 and found.max() == 2
    assert np.array_equal(found, predict(segmenter._network, images, torch.device("cpu")))


@pytest.mark.parametrize("shape", [(1, 18, 16), (1, 16, 18), (1, 4, 4)])
def test_a_segmenter_refuses_sizes_that_its_levels_cannot_halve(segmenter_folder, shape):
    height, width = shape[1:]
    with pytest.raises(ValueError, match=f"multiples of 4 pixels and not both 4, got {height} × {width}"):
        load_segmenter(segmenter_folder).segment(np.zeros(shape, np.uint8))


def test_a_folder_without_a_segmenter_is_refused(run_folder, segmenter_folder, tmp_path):
    for folder in (run_folder, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="holds no segmenter; name a folder segmenters/"):
            load_segmenter(folder)
    (segmenter_folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="checksum"):
        load_segmenter(segmenter_folder)


def test_dice_of_a_case_that_can_be_counted_by_hand():
    masks = np.zeros((1, 2, 4), np.uint8)
    masks[0, 0] = 1
    found = masks.copy()
    found[0, 0, :2] = 2
    result = dice(found, masks, {"a": 1, "b": 2})
    assert result["a"] == result["macro"] == pytest.approx(2 * 2 / (2 + 4))
    assert np.isnan(result["b"]), "no mask holds it"


@pytest.mark.parametrize(
    ("found", "masks", "classes", "words"),
    [
        (mask_of(1), mask_of(1, (2, 16, 16)), ["a"], "must have one shape"),
        (mask_of(2), mask_of(1), ["a"], "prediction holds the value 2"),
        (mask_of(2), mask_of(1), "only", "prediction holds the value 2"),
        (mask_of(), mask_of(), ["a"], "expected test masks that hold a class"),
        (mask_of(1, dtype=float), mask_of(1), ["a"], "expected `found` as a NumPy array of uint8"),
        (mask_of(1), mask_of(1), [1], "expected texts as `classes`, got 1"),
    ],
)
def test_dice_refuses_what_it_cannot_compare(found, masks, classes, words):
    with pytest.raises(ValueError, match=words):
        dice(found, masks, classes)


def test_the_page_s_example_runs(run_folder, segmenter_folder, tmp_path, monkeypatch, capsys):
    (example,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len([line for line in example.splitlines() if line]) <= 15
    for pattern, folder in ((r'model\("(.+?)"\)', run_folder), (r'segmenter\("(.+?)"\)', segmenter_folder)):
        place = tmp_path / "home" / re.search(pattern, example)[1]
        shutil.copytree(folder, place)
    monkeypatch.chdir(tmp_path / "home")
    names = {}
    exec(compile(example, str(PAGE), "exec"), names)
    classes, _, scores = capsys.readouterr().out.strip().splitlines()
    assert classes == "{'a': 1, 'b': 2}"
    assert re.fullmatch(r"\{'a': 0\.\d+, 'b': nan, 'macro': 0\.\d+\}", scores)
    assert names["made"].images.shape == (2, 2, 16, 16)


def test_the_page_names_all_that_is_public_and_nothing_else():
    page = PAGE.read_text(encoding="utf-8").partition("## What is public")[2].partition("## ")[0]
    rows = {
        name for row in re.findall(r"^\| `(.+?)`", page, re.MULTILINE) for name in re.findall(r"^\w+", row)
    }
    assert rows == set(api.__all__)
    for name in api.__all__:
        assert inspect.getdoc(getattr(api, name)), name
    methods = {name for name, _ in inspect.getmembers(api.TrainedModel, inspect.isfunction) if name[0] != "_"}
    assert methods == set(re.findall(r"^\| `…\.(\w+)", page, re.MULTILINE))
    given = set(inspect.signature(api.TrainedModel.generate).parameters) - {"self", "masks"}
    assert given == set(re.findall(r"(\w+)=", page.partition("GeneratedImages")[0]))
