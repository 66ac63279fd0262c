"""Whether generated images are striped: parallel lines, which high-frequency power takes for texture.

Run by hand on a finished run: `PYTHONPATH=scripts python tests/benchmarks/stripes.py results/demo`. Of the
real test images and each model's images of the same masks it prints, class by class, two numbers of the fine
detail h (the image less its Gaussian mean, σ = DETAIL), MARGIN pixels inside the class:

- stripes: with d_v the mean squared difference of neighbours along v, the larger of |d_x − d_y|/(d_x + d_y)
  and the same of both diagonals: 1 for lines along one of these four directions, 0.7 for lines between two,
  0 for white noise and for lines that cross. The mean over images with LEAST pixels or more. By chance alone
  smooth noise has about 0.2 in 60 pixels and 0.1 in 400, so compare images of the same masks only.
- detail: the standard deviation of h, in grey levels, the mean over these images.

Shape letters: S images, H height, W width.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.seals import read_listed

DETAIL = 1.5  # pixels
MARGIN = 2  # pixels
LEAST = 60  # pixels
FLAT = 1e-12  # squared grey levels: below it nothing changes along any direction
PAIRS = (((0, 1), (1, 0)), ((1, 1), (1, -1)))  # of directions at right angles to each other


def stripes(images_SHW: np.ndarray, inside_SHW: np.ndarray) -> tuple[float, float]:
    """Stripes and detail, as above; NaN where no image has LEAST pixels inside."""
    rows = []
    for image_HW, inside_HW in zip(images_SHW, inside_SHW, strict=True):
        if inside_HW.sum() < LEAST:
            continue
        fine_HW = image_HW - ndimage.gaussian_filter(image_HW.astype(float), DETAIL)
        contrasts = []
        for pair in PAIRS:
            first, second = (
                np.square(fine_HW - np.roll(fine_HW, shift, (0, 1)))[inside_HW].mean() for shift in pair
            )
            contrasts.append(abs(first - second) / max(first + second, FLAT))
        rows.append((max(contrasts), fine_HW[inside_HW].std()))
    return tuple(np.mean(rows, 0)) if rows else (np.nan, np.nan)


def inner_parts(masks_SHW: np.ndarray, value: int) -> np.ndarray:
    """The pixels of a class, MARGIN pixels or more from all others, (S, H, W) bool."""
    reach = np.zeros((3, 3, 3), bool)
    reach[1] = ndimage.generate_binary_structure(2, 1)
    return ndimage.binary_erosion(masks_SHW == value, reach, MARGIN)


def slices_of_test(results: Path, dataset: str) -> SliceSet:
    listed = read_listed(results / "data" / dataset / "test.txt").split()
    return read_slices([results / "slices" / dataset / Path(path).name for path in listed])


def main(results: Path) -> None:
    """Print a line for each dataset, class and model of a folder of results."""
    for folder in sorted((results / "generated").iterdir()):
        slices = slices_of_test(results, folder.name)
        images_SHW, masks_SHW = (
            np.concatenate([getattr(stack, name) for stack in slices.stacks])
            for name in ("images_SHW", "masks_SHW")
        )
        sets = {"real": images_SHW}
        for file in sorted(folder.glob("*/seed*/test.npz")):
            sets[f"{file.parts[-3]} {file.parts[-2]}"] = read_generated(file, slices)[0]
        for value in np.unique(masks_SHW)[1:]:
            inside_SHW = inner_parts(masks_SHW, value)
            for name, of_set_SHW in sets.items():
                amount, detail = stripes(of_set_SHW, inside_SHW)
                print(
                    f"{folder.name:16} class {value}  {name:26} stripes {amount:5.2f}  detail {detail:5.1f}"
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
