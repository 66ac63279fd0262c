"""What a header states is compared with what a patient may take before memory is taken."""

import pytest

from segguided.data.bounds import LARGEST_VOLUME, refuse_huge


@pytest.mark.parametrize(("voxels", "each"), [(2000 * 512 * 512, 4), (LARGEST_VOLUME, 1), (0, 8)])
def test_what_scanners_make_is_let_through(voxels: int, each: int) -> None:
    refuse_huge("p.nii", voxels, each)


@pytest.mark.parametrize(
    ("voxels", "each", "told"),
    [
        (LARGEST_VOLUME + 1, 1, "4.0 GiB"),
        (10**12, 2, "1,862.6 GiB"),
        (2**62, 8, "34,359,738,368.0 GiB"),
    ],
)
def test_the_sentence_tells_size_limit_and_remedy(voxels: int, each: int, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        refuse_huge("folder/p.nii", voxels, each)
    message = str(caught.value)
    assert message.startswith("folder/p.nii: ") and "at most 4 GiB" in message and "crop" in message
    assert told in message and f"{voxels:,} voxels" in message
