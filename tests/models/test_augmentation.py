"""Image and mask move together; strength zero changes nothing; only the generator decides the changes."""

import pytest
import torch
from pydantic import ValidationError

from segguided.config.models.movement import Movement
from segguided.config.models.segmenter import Augmentation
from segguided.models.augmentation import augment, mirrored, move

NONE = {"rotation_deg": 0, "scale": 0, "shift": 0, "contrast": 0, "brightness": 0, "noise": 0}


def squares(n=6):
    masks_BHW = torch.zeros(n, 32, 32, dtype=torch.uint8)
    masks_BHW[:, 8:20, 12:22] = 1
    masks_BHW[:, 10:14, 14:18] = 2
    return masks_BHW * 100, masks_BHW


def run(seed=0, **strengths):
    augmentation = Augmentation(**{**NONE, **strengths})
    images_BHW, masks_BHW = squares()
    return augment(images_BHW, masks_BHW, augmentation, torch.Generator().manual_seed(seed))


def test_strength_zero_changes_nothing():
    assert all(torch.equal(a, b) for a, b in zip(run(), squares(), strict=True))


@pytest.mark.parametrize("strengths", [{"rotation_deg": 30}, {"scale": 0.3}, {"shift": 0.2}])
def test_image_and_mask_move_alike(strengths):
    images_BHW, masks_BHW = run(**strengths)
    assert not torch.equal(masks_BHW, squares()[1])
    assert set(masks_BHW.unique().tolist()) <= {0, 1, 2}
    inside = (images_BHW.float() / 100 - masks_BHW).abs() < 0.6  # all but interpolated edges
    assert inside.float().mean() > 0.97


@pytest.mark.parametrize("strengths", [{"contrast": 0.5}, {"brightness": 0.3}, {"noise": 0.2}])
def test_grey_values_change_and_the_mask_stays(strengths):
    images_BHW, masks_BHW = run(**strengths)
    assert torch.equal(masks_BHW, squares()[1])
    assert not torch.equal(images_BHW, squares()[0])
    assert images_BHW.dtype == torch.uint8


def test_samples_differ_and_the_seed_decides():
    images_BHW, masks_BHW = run(rotation_deg=30)
    assert not torch.equal(masks_BHW[0], masks_BHW[1])
    again = run(rotation_deg=30)
    assert torch.equal(images_BHW, again[0])
    assert torch.equal(masks_BHW, again[1])
    assert not torch.equal(masks_BHW, run(1, rotation_deg=30)[1])


def moved(seed=0, **changes):
    movement = Movement(**changes) if changes else None
    return move(*squares(), movement, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("changes", [{"shift": 0.2}, {"mirror": True}, {"shift": 0.2, "mirror": True}])
def test_a_generators_image_and_mask_move_alike(changes):
    images_BHW, masks_BHW = moved(**changes)
    assert not torch.equal(masks_BHW, squares()[1])
    assert torch.equal(images_BHW, 100 * masks_BHW)
    assert images_BHW.dtype == masks_BHW.dtype == torch.uint8
    assert not torch.equal(masks_BHW, moved(1, **changes)[1])
    assert torch.equal(masks_BHW, moved(**changes)[1])


def test_without_movement_nothing_is_drawn():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    images_BHW, masks_BHW = move(*squares(), None, generator)
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(images_BHW, squares()[0])
    assert torch.equal(masks_BHW, squares()[1])


def test_channels_move_together():
    grey_BHW, masks_BHW = squares()
    images_BHWC = torch.stack([grey_BHW, grey_BHW // 2], -1)
    movement = Movement(shift=0.1, mirror=True)
    moved_BHWC, _ = move(images_BHWC, masks_BHW, movement, torch.Generator().manual_seed(0))
    alone_BHW, _ = move(grey_BHW, masks_BHW, movement, torch.Generator().manual_seed(0))
    assert torch.equal(moved_BHWC[..., 0], alone_BHW)
    assert torch.equal(moved_BHWC[..., 1], alone_BHW // 2)


def test_a_movement_that_moves_nothing_is_refused():
    with pytest.raises(ValidationError, match="augmentation changes nothing; give shift"):
        Movement(shift=0)


def test_a_shift_goes_as_far_as_it_says_and_leaves_black_behind():
    ones_BHW = torch.ones(400, 20, 20, dtype=torch.uint8)
    images_BHW, masks_BHW = move(
        255 * ones_BHW, ones_BHW, Movement(shift=0.1), torch.Generator().manual_seed(0)
    )
    rows_B = masks_BHW.amax(2).sum(1)
    assert set(rows_B.tolist()) == {18, 19, 20}
    assert set(masks_BHW.amax(1).sum(1).tolist()) == {18, 19, 20}
    assert {bool(image[0].any()) for image in images_BHW} == {True, False}  # moved up and down
    assert torch.equal(images_BHW, 255 * masks_BHW)


def test_mirroring_alone_draws_no_shift():
    generator = torch.Generator().manual_seed(0)
    move(*squares(), Movement(mirror=True), generator)
    again = torch.Generator().manual_seed(0)
    torch.rand(6, generator=again)  # whether each image is mirrored
    assert torch.equal(generator.get_state(), again.get_state())


def test_mirrored_images_keep_their_masks_and_about_half_are_mirrored():
    images = torch.arange(64 * 4 * 4).view(64, 4, 4)
    turned_images, turned_masks = mirrored(images, images + 1, torch.Generator().manual_seed(0))
    assert torch.equal(turned_images + 1, turned_masks)
    is_mirrored = (turned_images == images.flip(-1)).all(-1).all(-1)
    assert torch.equal(turned_images[~is_mirrored], images[~is_mirrored])
    assert 20 < is_mirrored.sum() < 44
