"""Which models ablation and sweeps may compare, and which sampler a model with a noise input has."""

import pytest

from support.miniature_config import config


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
