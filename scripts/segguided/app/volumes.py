"""Generated slices put together again: a NIfTI volume on the grid of the label volume that they follow.

Shape letters: z, y, x: a volume's axes (LPS); H height, W width of a generated image.
"""

import gzip
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import io_orientation, ornt_transform
from PIL import Image

from segguided.app.run_folder import RunFacts
from segguided.data.formats.orientation import LPS_FROM_RAS
from segguided.data.formats.volume import Volume
from segguided.data.slicing import square_padding
from segguided.files import atomic_path

WHITE = 255


def write_volume(
    target: Path, source: Path, labels: Volume, images: Mapping[int, np.ndarray], facts: RunFacts
) -> None:
    """Write the images (H, W) of some slices, by z, as a volume of uint8 with the grid of `source`.

    Slices without an image are black. Where the dataset has a fixed window, the header's scale turns grey
    values into raw ones, such as Hounsfield units: readers apply it. Images of several channels, (H, W,
    channels), become a 4-D file with a volume for each.
    """
    volumes = []
    for channel in range(facts.n_channels):
        grey_zyx = np.zeros(labels.array_zyx.shape, np.uint8)
        for z, image_HW in images.items():
            grey_zyx[z] = on_grid(image_HW if image_HW.ndim == 2 else image_HW[..., channel], labels)
        volumes.append(_as_stored(grey_zyx, labels, source))
    stored = volumes[0] if len(volumes) == 1 else nib.concat_images(volumes)
    stored.header.set_xyzt_units("mm")
    low, high = _raw_range(facts)
    stored.header.set_slope_inter((high - low) / WHITE, low)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        temporary.write_bytes(gzip.compress(stored.to_bytes(), mtime=0))  # equal content, equal bytes


def on_grid(image_HW: np.ndarray, labels: Volume) -> np.ndarray:
    """A square image on the grid of a volume's slice (y, x): what was padded is cut off again."""
    _, height, width = labels.array_zyx.shape
    _, mm_y, mm_x = labels.spacing_zyx_mm
    (top, bottom), (left, right) = square_padding(height, width, mm_y, mm_x)
    size = (left + width + right, top + height + bottom)
    square_HW = np.asarray(Image.fromarray(image_HW).resize(size, Image.Resampling.BILINEAR))
    return square_HW[top : top + height, left : left + width]


def _raw_range(facts: RunFacts) -> tuple[float, float]:
    """The raw values of black and white; the grey values where those differed from patient to patient.

    And where channels have different windows, since a file has one scale.
    """
    intensities = [channel.intensity for channel in facts.channels] or [facts.intensity]
    intensity = intensities[0]
    if intensity["kind"] == "window" and all(other == intensity for other in intensities):
        return float(intensity["low"]), float(intensity["high"])
    return 0.0, float(WHITE)


def _as_stored(grey_zyx: np.ndarray, labels: Volume, source: Path) -> nib.Nifti1Image:
    """The voxels in the order of `source`, with its affine."""
    ras_affine = LPS_FROM_RAS @ labels.affine
    in_lps = nib.Nifti1Image(grey_zyx.transpose(2, 1, 0), ras_affine)
    stated_shape, stated_affine = _stored_grid(labels, source)
    turned = in_lps.as_reoriented(ornt_transform(io_orientation(ras_affine), io_orientation(stated_affine)))
    fits = turned.shape == stated_shape and np.allclose(turned.affine, stated_affine, atol=1e-3)
    affine = stated_affine if fits else turned.affine
    volume = nib.Nifti1Image(np.asarray(turned.dataobj), affine)
    volume.header.set_xyzt_units("mm")
    return volume


def _stored_grid(labels: Volume, source: Path) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape (i, j, k) of the voxels in `source`, and their affine to RAS mm, the frame of NIfTI."""
    if labels.provenance["format"] == "nifti":
        stated = nib.load(source)
        return stated.shape[:3], stated.affine
    return (
        tuple(labels.provenance["stored_shape"]),
        LPS_FROM_RAS @ np.array(labels.provenance["stored_affine"]),
    )
