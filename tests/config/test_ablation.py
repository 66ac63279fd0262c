"""Which models ablation and sweeps may compare, and which sampler a model with a noise input has."""

from pathlib import Path

import pytest
import yaml

from segguided.config.workflow import load

MINIATURE = Path(__file__).parents[1] / "support" / "miniature.yaml"
SHIPPED = Path(__file__).parents[2] / "config.yaml"


def merged(under, over):
    """As Snakemake merges configuration files."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return under | {key: merged(under.get(key), value) for key, value in over.items()}


def config(**changes):
    settings = merged(yaml.safe_load(SHIPPED.read_text()), yaml.safe_load(MINIATURE.read_text()))
    return load(merged(settings, changes))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ["segguided-plus", "std"]}, "ablation.models names 'std'; defined: "),
        ({"models": ["segguided-plus", "spade"]}, "ablation.models: 'spade' is not of the kind diffusion"),
        ({"timed_against": "spade"}, "timed_against is 'spade', but models are segguided, segguided-plus"),
    ],
)
def test_an_ablation_of_models_that_cannot_be_compared_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        config(ablation=change)


def test_a_model_with_an_energy_score_is_sampled_by_renoise_alone():
    changed = {"segguided-plus": {"sampling": {"sampler": "ddim", "steps": 2}}}
    with pytest.raises(ValueError, match=r"segguided-plus.sampling.sampler is ddim, but .* noise input"):
        config(models=changed)
