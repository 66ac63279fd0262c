"""Tables 1, 2 and 3, each described by its columns. A new column of a table is one more entry of its layout.

For instance, Measure("recall", "quality.model.recall.{name}", heading="recall") gives CSV, Markdown and
picture that column. A mean over patients is a PatientsMean: it has an interval, and with better="higher" the
best model in bold where that stands. The records hold what `evaluation/dice.py` (Tables 1 and 2) and
`evaluation/likeness/` (Table 3) measure.
"""

import math
from dataclasses import dataclass

from segguided.evaluation.likeness.limits import MOST
from segguided.tables import notes
from segguided.tables.columns import Fact, Measure, Published, SeedCount, TableColumn, TrainingCost
from segguided.tables.notes import Note
from segguided.tables.patient_columns import CeilingDifference, PatientsMean

CEILING_ROW = "real (ceiling)"
REFERENCE_ROW = "real (held-out)"


@dataclass(frozen=True)
class Layout:
    """All that makes a table: its columns in the order of the CSV, and the notes below it.

    Below the notes of the layout come those of the columns.
    """

    number: int
    title: str
    real_row: str  # what the row of the real images is called, the last of each dataset
    columns: tuple[TableColumn, ...]
    notes: tuple[str | Note, ...]
    by_class: bool  # whether each class has a row too; the reader sees the macro rows alone

    @property
    def class_measures(self) -> list[Measure | PatientsMean]:
        """The measures that have a table for each class in the Markdown."""
        return [c for c in self.columns if isinstance(c, Measure | PatientsMean) and c.by_class]

    @property
    def ranked(self) -> list[PatientsMean]:
        """The columns that may have a best model."""
        return [c for c in self.columns if isinstance(c, PatientsMean) and c.better]

    @property
    def ceiling(self) -> Measure:
        """The first measure of the real images: what the models are compared to."""
        return next(c for c in self.columns if isinstance(c, Measure) and c.real_key)


def _dice_columns(
    column: str, comparison: str, ceiling: str | None, heading: str, second_heading: str = ""
) -> tuple[TableColumn, ...]:
    """A pooled Dice, its ratio to the ceiling and the paper's value; the mean over patients with an interval.

    Keys in the models' records begin with `comparison`, in that of the real images with `ceiling`; None: the
    row of the real images has no value.
    """
    dice = Measure(
        column,
        key=comparison + ".dice.{name}",
        real_key=None if ceiling is None else ceiling + ".dice.{name}",
        heading=heading,
        second_heading=second_heading,
        decimals=4,
        by_class=True,
    )
    patients_mean = PatientsMean(
        f"{column}_patients_mean",
        key=comparison + ".patients_mean.{name}",
        real_key=None if ceiling is None else ceiling + ".patients_mean.{name}",
        second_heading=second_heading,
        better="higher",
        by_class=True,
    )
    slice_mean = Measure(
        f"{column}_slice_mean",
        key=comparison + ".slice_mean.{name}",
        real_key=None if ceiling is None else ceiling + ".slice_mean.{name}",
        seed_deviation=False,
    )
    ratio = Measure(
        f"{column}_ratio_to_ceiling",
        key=comparison + ".ratio.{name}",
        heading="ratio",
        second_heading=second_heading,
        decimals=2,
        seed_deviation=False,
    )
    columns = (dice, slice_mean, ratio, Published(dice), patients_mean)
    if ceiling is None:
        return columns
    return (*columns, CeilingDifference(patients_mean, ceiling + ".patients_mean.{name}"))


def _basis_columns(evaluation: str) -> tuple[TableColumn, ...]:
    """What a Dice rests on; keys in the records begin with `evaluation`."""
    return (
        TrainingCost(note=notes.TRAINING),
        SeedCount(),
        Fact("patients", f"{evaluation}.patients"),
        Fact("slices", f"{evaluation}.slices"),
    )


def _dice_notes(number: int, column: str) -> tuple[str | Note, ...]:
    """What holds for every table of Dice values; the ceilings are those of `column`."""
    return (
        notes.RATIO,
        notes.paper,
        notes.PATIENTS_MEAN,
        notes.intervals,
        notes.standings(number),
        notes.ceilings(CEILING_ROW, column),
        notes.seeds,
    )


TABLE_1 = Layout(
    number=1,
    title="faithfulness of generated images to their masks",
    real_row=CEILING_ROW,
    columns=(
        *_dice_columns(
            "dice_mask",
            "faithfulness.mask",
            "faithfulness.ceiling",
            heading="macro",
            second_heading="Dice(m_gen, m)",
        ),
        *_dice_columns(
            "dice_real", "faithfulness.real", None, heading="macro", second_heading="Dice(m_gen, m_real)"
        ),
        *_basis_columns("faithfulness"),
    ),
    notes=(
        (
            "m: input mask; m_gen and m_real: masks that a segmenter trained on real held-out images "
            f"predicts on the generated and on the real image. The row {CEILING_ROW} is Dice(m_real, m). "
            + notes.POOLED
        ),
        *_dice_notes(1, "dice_mask"),
    ),
    by_class=True,
)

TABLE_2 = Layout(
    number=2,
    title="quality: Dice on real test images of a segmenter trained on generated images",
    real_row=CEILING_ROW,
    columns=(
        *_dice_columns("dice", "quality.model", "quality.ceiling", heading="Dice"),
        *_basis_columns("quality"),
    ),
    notes=(
        f"The row {CEILING_ROW} is the segmenter trained on real held-out images. " + notes.POOLED,
        *_dice_notes(2, "dice"),
    ),
    by_class=True,
)


def _feature_columns(name: str, heading: str, decimals: int, kernel_factor: float) -> tuple[TableColumn, ...]:
    """Distances and shares on one set of features; the reader sees the shares on the unseen ones alone."""
    kernel = "kernel" if kernel_factor == 1 else f"kernel × {kernel_factor:,.0f}"
    frechet_key = f"likeness.frechet.{name}"
    kernel_key = f"likeness.kernel.{name}"
    return (
        Measure(
            f"frechet_{name}", frechet_key, frechet_key, "Fréchet", second_heading=heading, decimals=decimals
        ),
        Measure(
            f"kernel_{name}",
            kernel_key,
            kernel_key,
            kernel,
            second_heading=heading,
            decimals=decimals,
            factor=kernel_factor,
            deviation_column=f"kernel_subset_std_{name}",
            deviation_key=f"likeness.kernel_std.{name}",
        ),
        *(_share(measure, name, heading) for measure in ("precision", "recall", "density", "coverage")),
    )


def _share(measure: str, name: str, second_heading: str) -> TableColumn:
    """A share of images with a neighbour in the other set; density alone may be above 1."""
    key = f"likeness.{measure}.{name}"
    if name != "unseen":
        return Measure(f"{measure}_{name}", key, key)
    return PatientsMean(
        f"{measure}_{name}",
        key,
        key,
        measure,
        second_heading,
        decimals=2,
        better="higher",
        highest=math.inf if measure == "density" else 1.0,
        enough=1.0,
    )


TABLE_3 = Layout(
    number=3,
    title="how like real images the generated ones are, beyond Dice",
    real_row=REFERENCE_ROW,
    columns=(
        PatientsMean(
            "diversity",
            key="likeness.diversity.{name}",
            heading="diversity",
            better="higher",
            highest=MOST,
            enough=1.0,
            by_class=True,
            note=notes.DIVERSITY,
        ),
        Measure("diversity_outside", key="likeness.diversity.outside"),
        PatientsMean(
            "high_power",
            key="likeness.spectrum.high_power",
            real_key="likeness.spectrum.high_power",
            heading="high power",
            decimals=2,
            highest=MOST,
            note=notes.SPECTRUM,
        ),
        PatientsMean(
            "spectrum_distance",
            key="likeness.spectrum.distance",
            real_key="likeness.spectrum.distance",
            heading="spectrum, dB",
            decimals=1,
            better="lower",
            highest=math.inf,
        ),
        *_feature_columns("unseen", "unseen features", decimals=1, kernel_factor=1),
        *_feature_columns("segmenter", "segmenter's features", decimals=3, kernel_factor=1000),
        Fact("n_generated", "likeness.n_generated"),
        Fact("n_real", "likeness.n_real"),
        Fact("n_features_unseen", "likeness.n_features.unseen"),
        Fact("n_features_segmenter", "likeness.n_features.segmenter"),
        Fact("neighbours", "likeness.neighbours"),
        Fact("kernel_subsets", "likeness.kernel_subsets"),
        Fact("kernel_subset_size", "likeness.kernel_subset_size"),
        Fact("kernel_seed", "likeness.kernel_seed"),
        TrainingCost(),
        SeedCount(),
        Fact("patients", "likeness.patients"),
    ),
    notes=(
        notes.features,
        notes.neighbours,
        (
            "None of these sees anatomy: images can have the features of real ones and an impossible "
            "anatomy. Tables 1 and 2 measure anatomy."
        ),
        (
            f"The row {REFERENCE_ROW} compares real held-out to real test images: what two sets of real "
            "patients score. Its images trained the segmenter; the models' masks are the test patients' own."
        ),
        notes.few_images,
        notes.kernel,
        notes.intervals,
        notes.standings(3),
        notes.seeds,
    ),
    by_class=True,
)

LAYOUTS = {layout.number: layout for layout in (TABLE_1, TABLE_2, TABLE_3)}
