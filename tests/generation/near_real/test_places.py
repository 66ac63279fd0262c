"""A contrast with another order of grey values is found without pairs: from where grey values lie."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from segguided.data.slices import SliceSet, Stack
from segguided.generation.near_real import places
from segguided.generation.near_real.matching import matched
from segguided.generation.near_real.places import InOrder, corrections_by_place

SIDE = 64
ONE = np.array([10, 60, 120, 200])  # air, fat, muscle, heart
OTHER = np.array([5, 220, 110, 40])


def body(name, seed, levels, organ=True):
    """Three nested tissues whose sizes and places vary; class 1 is a square of one tissue with texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    tissues_SHW = np.zeros((4, SIDE, SIDE), int)
    for z in range(4):
        for tissue, radius in ((1, 28), (2, 20), (3, 9)):
            middle_y, middle_x = np.array([32 + 4 * (tissue == 3), 32]) + rng.normal(0, 2, 2)
            inside = np.hypot(y - middle_y, x - middle_x) < radius * rng.uniform(0.9, 1.1)
            tissues_SHW[z][inside] = tissue
    images_SHW = levels[tissues_SHW] + rng.normal(0, 4, tissues_SHW.shape)
    masks_SHW = np.zeros(tissues_SHW.shape, np.uint8)
    if organ:
        masks_SHW[:, 4:20, 26:38] = 1
        images_SHW[masks_SHW == 1] = rng.normal(90, 20, (masks_SHW == 1).sum())
    images_SHW = np.rint(images_SHW).clip(0, 255).astype(np.uint8)
    return Stack(name, images_SHW, masks_SHW, np.arange(4.0), {}), tissues_SHW


def bodies(letter, first_seed, levels, count=4, organ=True):
    return [body(f"{letter}{i}", first_seed + i, levels, organ) for i in range(count)]


def stacks_of(made):
    return SliceSet([stack for stack, _ in made])


def median_by_tissue(images_SHW, masks_SHW, tissues_SHW):
    return np.array([np.median(images_SHW[(masks_SHW == 0) & (tissues_SHW == t)]) for t in range(4)])


SOURCE = bodies("p", 0, ONE)
TARGET = bodies("q", 100, OTHER)


@pytest.fixture(scope="module")
def result():
    return matched(stacks_of(SOURCE), stacks_of(TARGET), 1)


def test_an_inverted_contrast_is_found_where_order_alone_gives_the_wrong_tissue(result):
    in_order = matched(stacks_of(SOURCE), stacks_of(TARGET[:1]), 1)  # one patient: no half to check with
    for stack, of_order, (_, tissues_SHW) in zip(result.stacks, in_order.stacks, SOURCE, strict=True):
        found = median_by_tissue(stack.images_SHW, stack.masks_SHW, tissues_SHW)
        assert np.argsort(found).tolist() == np.argsort(OTHER).tolist()
        assert np.abs(found - OTHER).max() < 40
        kept = median_by_tissue(of_order.images_SHW, of_order.masks_SHW, tissues_SHW)
        assert np.all(np.diff(kept) > 0), "the heart stays the brightest"


def test_a_class_of_one_tissue_keeps_its_order(result):
    for stack, (source, _) in zip(result.stacks, SOURCE, strict=True):
        inside = source.masks_SHW == 1
        in_order = np.argsort(source.images_SHW[inside], kind="stable")
        assert (np.diff(stack.images_SHW[inside][in_order].astype(int)) >= 0).all()


def test_the_same_images_twice_and_in_any_order_of_patients(result):
    again = matched(stacks_of(SOURCE[::-1]), stacks_of(TARGET[::-1]), 1)
    assert np.array_equal(result.images, again.images)


def test_each_channel_is_matched_for_itself(result):
    def doubled(made):
        both = [np.stack([s.images_SHW, 255 - s.images_SHW], axis=-1) for s, _ in made]
        return SliceSet([replace(s, images_SHW=image) for (s, _), image in zip(made, both, strict=True)])

    both = matched(doubled(SOURCE), doubled(TARGET), 1).images
    assert np.array_equal(both[..., 0], result.images)
    inverted = SliceSet([replace(s, images_SHW=255 - s.images_SHW) for s, _ in SOURCE])
    target = SliceSet([replace(s, images_SHW=255 - s.images_SHW) for s, _ in TARGET])
    assert np.array_equal(both[..., 1], matched(inverted, target, 1).images)


def test_a_patient_of_both_sets_tells_nothing_by_place():
    same = SliceSet([replace(s, patient=f"p{i}") for i, (s, _) in enumerate(TARGET)])
    kept = matched(stacks_of(SOURCE), same, 1)
    for stack, (_, tissues_SHW) in zip(kept.stacks, SOURCE, strict=True):
        assert np.all(np.diff(median_by_tissue(stack.images_SHW, stack.masks_SHW, tissues_SHW)) > 0)


def test_a_class_that_one_side_lacks_is_not_corrected():
    with_organ = [InOrder(stack, np.tile(np.arange(256.0), (2, 1))) for stack, _ in SOURCE]
    without = [stack for stack, _ in bodies("q", 100, OTHER, organ=False)]
    of_background, of_organ = corrections_by_place(with_organ, without, 2)
    assert of_background is not None
    assert of_organ is None
    result = matched(stacks_of(SOURCE), SliceSet(without), 1)
    inside = stacks_of(SOURCE).masks == 1
    assert np.array_equal(result.images[inside], stacks_of(SOURCE).images[inside])


def test_constant_images_stay_constant_in_each_class():
    flat = [replace(s, images_SHW=np.full_like(s.images_SHW, 50)) for s, _ in SOURCE]
    for stack in matched(SliceSet(flat), SliceSet(flat[:1]), 1).stacks:
        assert np.unique(stack.images_SHW).tolist() == [50]
    for stack in matched(SliceSet(flat), stacks_of(TARGET), 1).stacks:
        assert len(np.unique(stack.images_SHW[stack.masks_SHW == 0])) == 1


def peak_of_matching(patients):
    source, target = stacks_of(bodies("p", 0, ONE, patients)), stacks_of(bodies("q", 100, OTHER, patients))
    tracemalloc.start()
    try:
        matched(source, target, 1)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_with_patients_by_their_matched_images_alone():
    """A byte a pixel; the images in order, as float64, would take eight."""
    more_pixels = (40 - 8) * 4 * SIDE * SIDE
    assert peak_of_matching(40) - peak_of_matching(8) < 2 * more_pixels


def test_surroundings_are_computed_once_to_learn_and_once_to_correct(monkeypatch):
    """However many classes there are; those of the other contrast are not needed."""
    slices = []
    smooth = places.gaussian_filter
    monkeypatch.setattr(
        places,
        "gaussian_filter",
        lambda image, *rest, **more: slices.append(1) or smooth(image, *rest, **more),
    )
    matched(stacks_of(SOURCE), stacks_of(TARGET), 1)
    assert len(slices) == 2 * len(stacks_of(SOURCE))
