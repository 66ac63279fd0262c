"""What cannot take images of several channels is refused when the configuration is read."""

import pytest

from support.miniature_config import config

CONTRASTS = [{"name": "T1", "contrast": "t1-fat-suppressed"}, {"name": "T2", "contrast": "t2"}]
TWO = {"breast-phantom": {"source": {"kind": "phantom", "channels": CONTRASTS}}}


def test_two_channels_are_taken_by_every_model_of_the_miniature():
    made = config(datasets=TWO, applications={"translations": []})
    dataset = made.datasets["breast-phantom"]
    assert dataset.channel_names == ("T1", "T2")
    assert [intensity.kind for intensity in dataset.intensities] == ["percentile"] * 2
    assert made.datasets["breast-phantom-t2"].channel_names == ()
    assert len(made.datasets["breast-phantom-t2"].intensities) == 1


def test_a_translation_between_different_numbers_of_channels_is_refused():
    with pytest.raises(ValueError) as caught:
        config(datasets=TWO)
    assert str(caught.value).splitlines() == [
        "config: applications.translations: images of breast-phantom-t2 have 1 channels and those of "
        "breast-phantom 2, so that none becomes the other; remove the translation, or give both as many "
        "channels"
    ]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_pretrained_pipeline_takes_grey_images_or_three_channels(count):
    contrasts = ("t2", "t1-fat-suppressed", "t2", "t2")
    channels = [{"name": f"c{n}", "contrast": contrast} for n, contrast in enumerate(contrasts[:count])]
    changes = {
        "grid": {"models": ["controlnet"]},
        "datasets": {"breast-phantom": {"source": {"kind": "phantom", "channels": channels}}},
        "models": {
            "controlnet": {"init": {"kind": "pretrained", "source": "sd", "autoencoder": None, "unet": None}}
        },
        "applications": {"translations": []},
    }
    if count == 3:
        assert len(config(**changes).datasets["breast-phantom"].channel_names) == 3
        return
    with pytest.raises(ValueError) as caught:
        config(**changes)
    (line,) = str(caught.value).splitlines()
    assert f"source.channels are {count}, but models.controlnet.init names a pretrained pipeline" in line


def test_five_channels_are_refused_in_one_sentence():
    channels = [{"name": f"c{n}", "contrast": "t2"} for n in range(5)]
    with pytest.raises(ValueError) as caught:
        config(datasets={"breast-phantom": {"source": {"kind": "phantom", "channels": channels}}})
    assert str(caught.value) == (
        "config: datasets.breast-phantom.source.channels: expected one to 4 channels, got 5; keep those that "
        "you need most"
    )


def test_a_source_of_one_channel_says_that_it_knows_no_such_key():
    with pytest.raises(ValueError, match=r"source\.channels: .*unknown|source.*channels"):
        config(datasets={"breast-phantom": {"source": {"kind": "ct-org", "channels": []}}})
