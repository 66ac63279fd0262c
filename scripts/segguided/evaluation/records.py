"""The flat record of one dataset, model and seed. The tables are made from such records alone.

Shape suffixes: S slices, H and W pixels, C foreground classes, K the C classes and their macro mean (last);
a trailing 4 holds |P ∩ T|, |P|, |T| and |M| in pixels, M being the test mask.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from segguided.config.reserved import MACRO
from segguided.evaluation.dice import (
    class_counts,
    classes_in_masks,
    nan_mean,
    per_patient_dice,
    pooled_dice,
    ratio,
    slice_mean_dice,
    with_macro,
)
from segguided.seals import read_sealed

NEAR_ZERO = 0.1  # where the ceiling is lower, the segmenter hardly finds the class on real images
Record = dict[str, float | int | str | None]  # None: undefined, such as the Dice of a class in no test mask


def faithfulness_record(
    target_SHW: np.ndarray,
    generated_SHW: np.ndarray | None,
    real_SHW: np.ndarray,
    patients_S: np.ndarray,
    class_names: Sequence[str],
    not_annotated_SV: np.ndarray | None = None,
) -> Record:
    """Table 1, from the masks m (`target`), m_gen (`generated`) and m_real (`real`).

    `generated_SHW` is None for the real images alone. For the keys, which begin with
    faithfulness.{mask|real|ceiling}, see `record_of_counts`; for `not_annotated_SV`, see `class_counts`.
    """
    n_classes = len(class_names)
    missing = not_annotated_SV
    counts = {"ceiling": class_counts(real_SHW, target_SHW, n_classes, not_annotated_SV=missing)}
    if generated_SHW is not None:
        counts["mask"] = class_counts(generated_SHW, target_SHW, n_classes, not_annotated_SV=missing)
        counts["real"] = class_counts(generated_SHW, real_SHW, n_classes, target_SHW, missing)
    return record_of_counts("faithfulness", counts, patients_S, class_names)


def quality_record(
    target_SHW: np.ndarray,
    model_SHW: np.ndarray | None,
    ceiling_SHW: np.ndarray,
    patients_S: np.ndarray,
    class_names: Sequence[str],
    not_annotated_SV: np.ndarray | None = None,
) -> Record:
    """Table 2, from masks that segmenters trained on a model's and on real images predict on real images.

    `model_SHW` is None for the real images alone. For the keys, which begin with quality.{model|ceiling}, see
    `record_of_counts`; for `not_annotated_SV`, see `class_counts`.
    """
    n_classes = len(class_names)
    missing = not_annotated_SV
    counts = {"ceiling": class_counts(ceiling_SHW, target_SHW, n_classes, not_annotated_SV=missing)}
    if model_SHW is not None:
        counts["model"] = class_counts(model_SHW, target_SHW, n_classes, not_annotated_SV=missing)
    return record_of_counts("quality", counts, patients_S, class_names)


def read_training_cost(description: Path, further: Sequence[Path] = ()) -> Record:
    """Keys training.{steps|images|flops}, from the config.json beside a run's weights.

    `flops` includes those of the `further` networks that the model needs, each trained in a run of its own.
    No key for a model that was trained elsewhere: its description says nothing of training.
    """
    cost = _cost(description)
    if not cost:
        return {}
    flops = sum(_cost(path).get("flops", 0) for path in further)
    return {
        "training.steps": cost["steps"],
        "training.images": cost["images"],
        "training.flops": cost["flops"] + flops,
    }


def _cost(description: Path) -> dict[str, int]:
    """The steps, images and flops of a run; empty where its description does not speak of training."""
    cost = read_sealed(description).get("training")
    if cost is None:
        return {}
    names = {"steps", "images", "flops"}
    missing = names - cost.keys() if isinstance(cost, dict) else names
    if missing:
        raise ValueError(
            f"{description} does not say the training's {', '.join(sorted(missing))}; it comes from another "
            "version: train again"
        )
    return {name: cost[name] for name in names}


def record_of_counts(
    evaluation: str, counts: Mapping[str, np.ndarray], patients_S: np.ndarray, class_names: Sequence[str]
) -> Record:
    """Flat JSON record of counts (S, C, 4) by comparison; one comparison is "ceiling". None: undefined.

    Keys are {evaluation}.{comparison}.{statistic}.{name}; the name is a class or "macro". Statistics: dice
    (pooled over all slices), slice_mean, patients_mean with its patients' values (see `mean_entries`) and,
    except for the ceiling, ratio: the pooled Dice over the ceiling's, None where that is below NEAR_ZERO. Two
    more keys are {evaluation}.slices and {evaluation}.patients. Raises ValueError where no test mask holds a
    class.
    """
    if MACRO in class_names:
        raise ValueError(f"no class may be called '{MACRO}', the name of the mean over classes; rename it")
    record: Record = {
        f"{evaluation}.slices": len(patients_S),
        f"{evaluation}.patients": len(np.unique(patients_S)),
    }
    for comparison, counts_SC4 in counts.items():
        prefix = f"{evaluation}.{comparison}"
        present_C = classes_in_masks(counts_SC4)
        statistics = {
            "dice": with_macro(pooled_dice(counts_SC4), present_C),
            "slice_mean": with_macro(slice_mean_dice(counts_SC4), present_C),
        }
        if comparison != "ceiling":
            statistics["ratio"] = _ratio_to_ceiling(counts_SC4, counts["ceiling"])
        for statistic, values_K in statistics.items():
            for name, value in zip((*class_names, MACRO), values_K, strict=True):
                record[f"{prefix}.{statistic}.{name}"] = _json_number(value)
        record |= _patients_entries(f"{prefix}.patients_mean", counts_SC4, patients_S, class_names)
    return record


def mean_entries(
    key: str, values: Mapping[str, float], unit: Literal["patient", "block"] = "patient"
) -> Record:
    """A mean and what it is a mean of: {key}, and {key}.{unit}.{name} of each patient (or block)."""
    return unit_entries(key, {f"{unit}.{name}": value for name, value in values.items()})


def unit_entries(key: str, values: Mapping[str, float]) -> Record:
    """The same of values by unit, `patient.NAME` or `block.NUMBER`: {key}, and {key}.{unit} of each.

    A value that is NaN, such as the Dice of a class that the patient's masks lack, is None and not in the
    mean. Intervals and comparisons of models are computed from these values when the tables are made.
    """
    record: Record = {key: _json_number(nan_mean(np.array([*values.values()], dtype=float)))}
    for unit, value in values.items():
        record[f"{key}.{unit}"] = _json_number(value)
    return record


def _patients_entries(
    prefix: str, counts_SC4: np.ndarray, patients_S: np.ndarray, class_names: Sequence[str]
) -> Record:
    """Mean over patients, of each class and of the patients' own means over the classes of their masks."""
    dice_PC = per_patient_dice(counts_SC4, patients_S)
    record: Record = {}
    for c, name in enumerate(class_names):
        of_class = {patient: dice_C[c] for patient, dice_C in dice_PC.items()}
        record |= mean_entries(f"{prefix}.{name}", of_class)
    macro = {patient: float(nan_mean(dice_C)) for patient, dice_C in dice_PC.items()}
    return record | mean_entries(f"{prefix}.{MACRO}", macro)


def _ratio_to_ceiling(counts_SC4: np.ndarray, ceiling_SC4: np.ndarray) -> np.ndarray:
    """Dice over the ceiling's, (K,). Classes whose ceiling is near 0 have none, and are in no macro ratio.

    With them the macro ratio could be outside the classes' ratios: such a class adds to one of the two means.
    """
    ceiling_C = pooled_dice(ceiling_SC4)
    averaged_C = classes_in_masks(ceiling_SC4) & (np.nan_to_num(ceiling_C) >= NEAR_ZERO)
    ceiling_K = with_macro(ceiling_C, averaged_C)
    ratio_K = ratio(with_macro(pooled_dice(counts_SC4), averaged_C), ceiling_K)
    return np.where(ceiling_K < NEAR_ZERO, np.nan, ratio_K)


def _json_number(value: float | np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None
