"""All of Table 3 for one model on one dataset.

Shape letters: K images of a mask, M masks, S images, N generated and M real images, D features, H, W.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from segguided.config.evaluation import Evaluation
from segguided.data.slices import SliceSet
from segguided.evaluation.likeness.distances import distance_record
from segguided.evaluation.likeness.diversity import diversity_record
from segguided.evaluation.likeness.neighbours import NEIGHBOURS, neighbour_measures
from segguided.evaluation.likeness.spectrum import spectrum_record
from segguided.evaluation.likeness.units import mean_record, units_of
from segguided.evaluation.likeness.unseen import Standardiser
from segguided.evaluation.records import Record
from segguided.generation.variants import read_variants

OF_GENERATED = ("precision", "density")  # a value for each generated image; the others, for each real one
Encoder = Callable[[np.ndarray], np.ndarray]  # images_SHW -> features_SD


def likeness_record(
    test: SliceSet, compared: SliceSet, train: SliceSet, segmenter: Encoder, evaluation: Evaluation
) -> Record:
    """Keys likeness.…: `compared`, generated or other real images, against the real `test` images.

    `segmenter`: the features of a segmenter. `train`: the real images that scale the unseen features.
    """
    images_SHW = compared.images
    real_SHW = test.images
    units = units_of(compared)
    real_units = units_of(test)
    in_pairs = compared.names == test.names
    record = spectrum_record(images_SHW, units if in_pairs else {}, real_SHW, real_units)
    encoders: dict[str, Encoder] = {"segmenter": segmenter, "unseen": Standardiser(train.images).features}
    for name, encode in encoders.items():
        features_ND = encode(images_SHW)
        real_MD = encode(real_SHW)
        record |= distance_record(
            features_ND,
            real_MD,
            name,
            subsets=evaluation.kernel_subsets,
            subset_size=evaluation.kernel_subset_size,
            seed=evaluation.kernel_seed,
        )
        for measure, values in neighbour_measures(features_ND, real_MD).items():
            of_set = units if measure in OF_GENERATED else real_units
            record |= mean_record(f"likeness.{measure}.{name}", values, of_set)
    return record | {"likeness.neighbours": NEIGHBOURS, "likeness.patients": len(test.stacks)}


def repeats_record(
    repeated: Path, repeatable: SliceSet, measured: SliceSet, train: SliceSet, class_names: Sequence[str]
) -> Record:
    """Keys likeness.diversity.…, of several images of each of some masks of `repeatable`.

    Only those of `measured`, all or some of the same slices, count. Raises ValueError where `repeated` holds
    images of other masks, or none of these.
    """
    variants, chosen = read_variants(repeated, repeatable)
    counts_M = np.isin(chosen.names, measured.names)
    images_KMHW = np.stack([images_MHW[counts_M] for images_MHW in variants.values()])
    chosen = chosen.where(counts_M.tolist())
    rows_S = np.isin(measured.names, chosen.names)
    units = {unit: unit_S[rows_S] for unit, unit_S in units_of(measured).items()}
    record = diversity_record(images_KMHW, chosen, train, class_names, units)
    return record | {
        "likeness.diversity_masks": len(chosen),
        "likeness.images_per_mask": len(images_KMHW),
    }
