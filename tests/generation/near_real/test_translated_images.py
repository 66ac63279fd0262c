"""Translated images that start from the noised image."""

import numpy as np
import pytest

from segguided.config.experiments import TranslationStart
from segguided.config.sampling import Generation
from segguided.data.slices import read_slices
from segguided.generation.variants import read_variants
from translate_images import translate_images

START = TranslationStart(steps=25)


def translate(folder, name, values=(1, 2), start=START):
    translate_images(
        weights=folder / "model/model.safetensors",
        slices=[folder / "p.npz"],
        train=[folder / "p.npz"],
        sampling=Generation(batch_size=3, precision="fp32"),
        translation=start,
        values=values,
        seed=0,
        output=folder / name,
    )
    return read_variants(folder / name, read_slices([folder / "p.npz"]))


def test_two_images_of_each_mask_and_the_same_bytes_twice(trained):
    images, slices = translate(trained, "first.npz")
    assert list(images) == ["image", "matched"]
    assert len(slices) == 4
    assert np.array_equal(images["image"], images["matched"]), "matched with itself"
    translate(trained, "second.npz")
    assert (trained / "first.npz").read_bytes() == (trained / "second.npz").read_bytes()
    weaker, _ = translate(trained, "weaker.npz", start=TranslationStart(steps=25, share=0.5))
    assert not np.array_equal(weaker["image"], images["image"])


def test_a_class_that_the_model_lacks_is_one_sentence_and_nothing_is_written(trained):
    with pytest.raises(ValueError, match="masks hold class 2, but the model knows no class of that name"):
        translate(trained, "none.npz", values=(1, 0))
    assert not (trained / "none.npz").exists()


def test_a_value_that_the_model_lacks_is_one_sentence_and_nothing_is_written(trained):
    with pytest.raises(ValueError, match="from 0 to 2, the classes of the model, got 9;"):
        translate(trained, "none.npz", values=(1, 9))
    assert not (trained / "none.npz").exists()
