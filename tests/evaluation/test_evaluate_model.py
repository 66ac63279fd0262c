"""Both tables from known predictions: which images are measured, by which segmenter, on which half."""

import json

import numpy as np
import pytest
import torch

import evaluate_model as script
from segguided.cli import call
from segguided.config.evaluation import Evaluation
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.data.formats.npz import write_npz
from segguided.data.halves import slices_in_half
from segguided.data.slices import write_stack
from segguided.evaluation.model_record import model_record
from segguided.generation.repeats import repeated_masks
from segguided.models.segmenter import build_segmenter, load_segmenter
from segguided.seals import write_sealed
from segguided.training.storage import save_network
from support.readers import Reader, example_set

NAMES = ("a", "b")


def measure(generated, evaluator, trained_on, held_out=None, repeated=None):
    settings = Evaluation(kernel_subsets=3)
    sets = (example_set(), generated, repeated, example_set(3), held_out)
    return model_record(*sets, evaluator, trained_on, NAMES, settings)


def test_perfect_images_and_segmenters_score_one():
    record = measure(example_set(), Reader(), Reader())
    for key in (
        "faithfulness.mask",
        "faithfulness.real",
        "faithfulness.ceiling",
        "quality.model",
        "quality.ceiling",
    ):
        assert record[f"{key}.dice.macro"] == 1
    assert (record["faithfulness.patients"], record["quality.patients"]) == (4, 2)
    assert (record["faithfulness.slices"], record["quality.slices"]) == (24, 12)


def test_black_images_score_zero_and_leave_the_ceiling_alone():
    test = example_set()
    black = test.with_images(np.zeros_like(test.images), test.names)
    record = measure(black, Reader(), Reader(blind=1))
    assert record["faithfulness.mask.dice.macro"] == 0
    assert record["faithfulness.ceiling.dice.macro"] == 1
    assert record["quality.model.dice.a"] == 0
    assert record["quality.model.dice.b"] == 1
    assert record["quality.ceiling.dice.macro"] == 1


def test_evaluator_measures_faithfulness_and_the_other_segmenter_quality():
    record = measure(example_set(), Reader(blind=2), Reader())
    assert record["faithfulness.mask.dice.b"] == 0
    assert record["faithfulness.mask.ratio.macro"] == 1
    assert record["quality.model.dice.macro"] == 1


def test_real_images_have_only_a_ceiling():
    record = measure(None, Reader(), Reader(), example_set(3))
    assert record["faithfulness.ceiling.dice.macro"] == 1
    assert not any(key.startswith(("faithfulness.mask", "quality.model")) for key in record)


def test_distance_is_of_the_generated_images_and_for_real_ones_of_the_held_out():
    """Features are mean grey values here; from black images, that is mean and spread of the real ones."""
    test = example_set()
    same = measure(test, Reader(), Reader())
    assert same["likeness.frechet.segmenter"] == pytest.approx(0, abs=1e-12)
    black = measure(test.with_images(np.zeros_like(test.images), test.names), Reader(), Reader())
    mean_S = (test.images / 127.5 - 1).mean((1, 2))
    expected = (mean_S.mean() + 1) ** 2 + mean_S.var(ddof=1)
    assert black["likeness.frechet.segmenter"] == pytest.approx(expected, rel=1e-5)
    assert black["likeness.kernel.segmenter"] > same["likeness.kernel.segmenter"]
    real = measure(None, Reader(), Reader(), example_set(3))
    assert (real["likeness.n_generated"], real["likeness.n_real"]) == (12, 24)
    with pytest.raises(ValueError, match="needs --held-out slices"):
        measure(None, Reader(), Reader())


def test_the_measuring_half_alone_may_be_measured():
    """Black images of the other half change nothing; those of the measuring half do."""
    test = example_set()
    settings = Evaluation(kernel_subsets=3, measuring_half_only=True)
    half_S = np.array(slices_in_half(test, settings.halves_seed, "test"))

    def record(blackened_S, held_out=None):
        images = np.where(blackened_S[:, None, None], 0, test.images)
        shown = None if held_out else test.with_images(images.astype(np.uint8), test.names)
        return model_record(test, shown, None, example_set(3), held_out, Reader(), Reader(), NAMES, settings)

    other_half_black = record(~half_S)
    assert other_half_black["faithfulness.mask.dice.macro"] == 1
    assert other_half_black["likeness.frechet.segmenter"] == pytest.approx(0, abs=1e-12)
    assert (other_half_black["faithfulness.patients"], other_half_black["quality.patients"]) == (2, 2)
    assert (other_half_black["likeness.n_generated"], other_half_black["likeness.n_real"]) == (12, 12)
    assert record(half_S)["faithfulness.mask.dice.macro"] == 0
    real = record(half_S, held_out=example_set(3))
    assert (real["likeness.n_generated"], real["likeness.n_real"]) == (12, 12)


@pytest.mark.parametrize(("half_only", "masks"), [(False, 4), (True, 2)])
def test_diversity_is_of_the_repeated_masks_that_are_measured(tmp_path, half_only, masks):
    test = example_set()
    repeated = repeated_masks(test, 4, 3)
    images_NHW = np.where(repeated.masks_SHW > 0, repeated.images_SHW, np.arange(12)[:, None, None])
    write_npz(tmp_path / "repeated.npz", images=images_NHW.astype(np.uint8), names=np.array(repeated.names))
    settings = Evaluation(kernel_subsets=3, measuring_half_only=half_only)
    sets = (test, test, tmp_path / "repeated.npz", example_set(3), None)
    record = model_record(*sets, Reader(), Reader(), NAMES, settings)
    assert (record["likeness.diversity_masks"], record["likeness.images_per_mask"]) == (masks, 3)
    assert record["likeness.diversity.a"] in (0, None), "only the ground differs"
    assert len([key for key in record if key.startswith("likeness.diversity.a.patient.")]) == masks


def test_the_script_writes_one_flat_record(tmp_path):
    settings = Segmenter(channels=(4, 8), training=Training(steps=1, batch_size=1, learning_rate=1))
    network = build_segmenter(settings, 2)
    save_network(
        network, tmp_path / "model.safetensors", {"segmenter": settings.model_dump(), "n_classes": 2}
    )
    test, slices = example_set(), []
    for stack in test.stacks:
        slices.append(tmp_path / f"{stack.patient}.npz")
        write_stack(slices[-1], stack)
    write_npz(tmp_path / "generated.npz", images=test.images, names=np.array(test.names))
    cost = {"steps": 3, "images": 12, "flops": 10**13}
    write_sealed(tmp_path / "run.json", {"kind": "diffusion", "training": cost})
    weights, output = tmp_path / "model.safetensors", tmp_path / "record.json"
    command = ["--dataset", "d", "--model", "m", "--seed", "3", "--classes", *NAMES]
    command += [
        "--train",
        *slices[:2],
        "--test",
        *slices,
        "--evaluator",
        weights,
        "--trained-on",
        weights,
        "--output",
        output,
    ]
    command += ["--evaluation", '{"kernel_subsets": 100}']
    model = ["--generated", tmp_path / "generated.npz", "--run", tmp_path / "run.json"]
    call(script.evaluate_model, script.command_line(), words=list(map(str, [*command, *model])))
    record = json.loads(output.read_text())
    assert (record["dataset"], record["model"], record["seed"]) == ("d", "m", 3)
    assert (record["training.flops"], record["training.images"]) == (10**13, 12)
    assert record["likeness.n_features.segmenter"] == 8
    real = ["--held-out", *slices[:2]]
    call(script.evaluate_model, script.command_line(), words=list(map(str, [*command, *real])))
    record = json.loads(output.read_text())
    assert record["likeness.n_generated"] == 12
    assert "training.flops" not in record


def test_segmenter_comes_back_from_its_files(tmp_path):
    settings = Segmenter(channels=(4, 8), training=Training(steps=1, batch_size=1, learning_rate=1))
    network = build_segmenter(settings, 2).eval()
    description = {"segmenter": settings.model_dump(), "n_classes": 2}
    save_network(network, tmp_path / "model.safetensors", description)
    x_BCHW = torch.rand(1, 1, 16, 16)
    loaded = load_segmenter(tmp_path / "model.safetensors").cpu()
    assert torch.equal(loaded(x_BCHW), network(x_BCHW))


def test_generated_images_of_other_masks_are_refused():
    test = example_set()
    with pytest.raises(ValueError, match="generate it again"):
        test.with_images(test.images, [*test.names[1:], "other_slice_0"])
