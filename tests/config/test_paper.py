"""As shipped, config.yaml is the paper: each value that the paper or its authors' code states, one by one.

A: Appendix A of the paper. Other sources are named at the value.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from segguided.config.workflow import load

CONFIG = load(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
OF_THE_PAPER = ("segguided", "segguided-mat", "unconditional")
STAGES = ("autoencoder", "latent", "control")


def test_as_shipped_the_grid_is_the_papers_systems_on_its_datasets() -> None:
    assert CONFIG.grid.datasets == ("breast-mri", "ct-organ")
    assert set(CONFIG.grid.models) == {"controlnet", "spade", *OF_THE_PAPER}
    for dataset in CONFIG.grid.datasets:
        assert CONFIG.datasets[dataset].image_size == 256  # 3
        assert CONFIG.datasets[dataset].interpolation == "triangle"  # authors' code: torchvision's Resize


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_as_shipped_the_diffusion_models_are_the_papers(name: str) -> None:
    model: Any = CONFIG.models[name]
    assert model.unet.channels == (128, 128, 256, 256, 512, 512)  # A
    assert model.unet.attention_levels == (4,)  # A: the fifth block
    assert (model.unet.layers_per_block, model.unet.norm_groups, model.unet.patch) == (2, 32, 1)  # code
    assert model.schedule.model_dump() == {
        "growth": "linear", "timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02,
    }  # fmt: skip
    assert (model.prediction_type, model.min_snr_gamma) == ("epsilon", None)  # 1.1: the plain squared error
    training = model.training
    assert (training.epochs, training.steps, training.batch_size) == (400, None, 64)  # A
    assert (training.learning_rate, training.warmup_steps) == (1e-4, 500)  # A
    assert (training.weight_decay, training.gradient_clip) == (0.01, 1.0)  # authors' code
    assert training.ema_decay is None  # authors' code: the last weights


def test_as_shipped_masks_are_shown_as_in_the_paper() -> None:
    models: Any = CONFIG.models
    shown = {name: (models[name].conditioning, models[name].mask_ablation) for name in OF_THE_PAPER}
    assert shown == {
        "segguided": ("index255", "none"),  # authors' code: k/255 in one channel
        "segguided-mat": ("index255", "sample"),  # Algorithm 1
        "unconditional": ("none", "none"),
    }


def test_as_shipped_controlnet_is_trained_as_in_the_paper() -> None:
    model: Any = CONFIG.models["controlnet"]
    assert model.init.kind == "pretrained"  # A.1: Stable Diffusion 1.5
    stages = {stage: getattr(model, stage).training for stage in STAGES}
    assert {stage: training.epochs for stage, training in stages.items()} == {
        "autoencoder": 200, "latent": 400, "control": 200,
    }  # fmt: skip
    for training in stages.values():
        assert (training.batch_size, training.learning_rate, training.warmup_steps) == (128, 1e-4, 500)  # A.1
        assert training.ema_decay is None  # Zhang et al.'s cldm_v15.yaml: use_ema False
    assert model.autoencoder.kl_weight == 1e-6  # Rombach et al. 2022
    assert not model.control.sd_locked  # A.1 follows the page that advises so
    assert model.control.conditioning == "index255_rgb"  # Zhang et al.'s reader, the authors' mask files
    assert model.control.hint_channels == (16, 32, 96, 256)


def test_as_shipped_sampling_and_the_segmenter_are_the_papers() -> None:
    sampling = CONFIG.sampling
    assert (sampling.sampler, sampling.steps, sampling.timestep_spacing) == ("ddim", 50, "leading")
    segmenter = CONFIG.segmenter
    assert segmenter.channels == (16, 32, 64, 128, 256)  # A.2
    training = segmenter.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (100, 8, 1e-3)  # A.2
    assert (training.warmup_steps, training.ema_decay, segmenter.augmentation) == (0, None, None)
    similarity = CONFIG.similarity
    assert similarity is not None
    assert (similarity.model, similarity.timestep) == ("segguided-mat", 240)  # 3.2
    assert similarity.lambdas == (0.25, 0.5, 0.75, 1)  # figure 4
    assert not CONFIG.evaluation.measuring_half_only  # table 1 is of all test masks


@pytest.mark.parametrize(
    ("name", "of", "path"), [("spade-mat", "spade", ()), ("controlnet-mat", "controlnet", ("control",))]
)
def test_a_baseline_with_ablation_is_outside_the_grid_and_differs_in_that_alone(
    name: str, of: str, path: tuple[str, ...]
) -> None:
    assert name not in CONFIG.grid.models
    ours: Any = CONFIG.models[name].model_dump(exclude={"title"})
    papers: Any = CONFIG.models[of].model_dump(exclude={"title"})
    section = ours
    for key in path:
        section = section[key]
    assert section.pop("mask_ablation") == "sample"
    assert ours == papers


@pytest.mark.parametrize(
    ("name", "of", "differs"),
    [
        ("segguided-ema", "segguided", {"training"}),
        ("segguided-mat-ema", "segguided-mat", {"training"}),
        ("controlnet-onehot", "controlnet", {"control"}),
    ],
)
def test_an_improvement_is_a_variant_outside_the_grid_that_differs_in_one_thing(
    name: str, of: str, differs: set[str]
) -> None:
    assert name not in CONFIG.grid.models
    ours: Any = CONFIG.models[name].model_dump()
    papers: Any = CONFIG.models[of].model_dump()
    assert {key for key in ours if ours[key] != papers[key]} == differs | {"title"}
    (section,) = differs
    changed = {key: value for key, value in ours[section].items() if value != papers[section][key]}
    assert changed in ({"ema_decay": 0.9999}, {"conditioning": "onehot"})
