"""`make smoke-paper` runs config.yaml's own networks at their size, and every rule of its."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from diffusers import UNet2DConditionModel

from benchmarks.gpu_memory import VAE
from benchmarks.smoke_files import write_smoke_files
from segguided.config.workflow import Config, load
from support.miniature import ROOT, copy_repository, jobs_of, snakemake
from support.miniature_config import merged
from support.rule_files import rule_sources

SMOKE = "workflow/smoke-paper.yaml"
TARGETS = ("all", "applications")
# Few made-up masks give no new mask with a rare class.
RARE = {"generate_rare", "train_augmented", "measure_rare"}
# What the smoke configuration may change: how many, how often and from where; nothing of a network.
MAY_DIFFER = re.compile(
    r"""
    pathvars\..+ | grid\.models | checkpoint_seconds
    | datasets\.(breast-mri|ct-organ)\.(manifest | source\.(masks|folder))
    | (models\..+|segmenter)\.training\.(epochs|steps|batch_size) | models\..+\.micro_batch_size
    | sampling\.(steps|batch_size) | diversity\.(masks|images_per_mask)
    | partial_masks\.(models|masks|samples_per_mask)
    | similarity\.(timestep|steps|masks|samples_per_mask)
    | applications\.rare(\..+)? | applications\.counterfactuals\.(masks|timestep|steps|distance)
    | models\.controlnet\.init\..+
    """,
    re.VERBOSE,
)


def values(file: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / file).read_text())


def layered(**changes: Any) -> Config:
    """The smoke configuration, as Snakemake merges it over config.yaml."""
    return load(merged(merged(values("config.yaml"), values(SMOKE)), changes))


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """Each setting by its path, such as models.spade.norm."""
    if not isinstance(value, dict):
        return {key: value}
    found: dict[str, Any] = {}
    for name, part in value.items():
        found |= flat(part, f"{key}.{name}" if key else str(name))
    return found


def differences(config: Config) -> set[str]:
    """The paths of settings that differ from those of config.yaml, but for those that may."""
    shipped = flat(load(values("config.yaml")).model_dump())
    ours = flat(config.model_dump())
    differing = {key for key in shipped.keys() | ours.keys() if shipped.get(key) != ours.get(key)}
    return {key for key in differing if not MAY_DIFFER.fullmatch(key)}


def test_nothing_of_the_networks_differs_from_the_papers() -> None:
    assert differences(layered()) == set()
    assert set(layered().grid.models) > set(load(values("config.yaml")).grid.models)
    assert layered().grid.datasets == load(values("config.yaml")).grid.datasets


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"models": {"segguided": {"unet": {"patch": 2}}}}, "models.segguided.unet.patch"),
        ({"models": {"spade": {"generator": {"channels": [64, 64]}}}}, "models.spade.generator.channels"),
        ({"models": {"segguided-mat": {"conditioning": "onehot"}}}, "models.segguided-mat.conditioning"),
        ({"datasets": {"ct-organ": {"image_size": 128}}}, "datasets.ct-organ.image_size"),
        ({"segmenter": {"channels": [16, 32]}}, "segmenter.channels"),
    ],
)
def test_the_comparison_sees_a_smaller_network(changes: dict[str, Any], key: str) -> None:
    assert differences(layered(**changes)) == {key}


def test_controlnet_begins_at_random_in_stable_diffusions_widths() -> None:
    model: Any = layered().models["controlnet"]
    sizes = inspect.signature(
        UNet2DConditionModel.__init__
    ).parameters  # its defaults are Stable Diffusion 1.5's
    for ours, theirs in (("channels", "block_out_channels"), ("layers_per_block", "layers_per_block")):
        assert getattr(model.init.autoencoder, ours) == VAE[theirs]
        assert getattr(model.init.unet, ours) == sizes[theirs].default


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The jobs of each rule that the smoke run plans, with the files it makes."""
    repository = copy_repository(tmp_path_factory.mktemp("smoke"))
    write_smoke_files(repository / "results/smoke-paper", duke_side=64)
    result = snakemake(repository, "-n", *TARGETS, "--configfile", SMOKE)
    assert result.returncode == 0, result.stdout + result.stderr
    return jobs_of(result)


def test_every_rule_of_the_paper_is_in_the_smoke_run(planned: dict[str, int], tmp_path: Path) -> None:
    result = snakemake(copy_repository(tmp_path), "-n", *TARGETS)
    assert result.returncode == 0, result.stdout + result.stderr
    of_the_paper = jobs_of(result).keys()
    assert {"train_controlnet", "generate_spade", "evaluate_model", "train_augmented"} <= of_the_paper
    assert of_the_paper - planned.keys() == RARE


def test_every_training_and_measuring_rule_is_in_the_smoke_run_or_needs_a_second_modality(
    planned: dict[str, int],
) -> None:
    working = {name for name in rule_sources() if re.match("train_|generate_|measure_|evaluate_", name)}
    assert working - planned.keys() == {"measure_translation", *RARE}
