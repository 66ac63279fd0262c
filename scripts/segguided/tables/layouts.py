"""Tables 1, 2 and 3, each described by its columns. A new column of a table is one more entry of its layout.

For instance, Measure("recall", "quality.model.recall.{name}", heading="recall") gives CSV, Markdown and
picture that column. A mean over patients is a PatientsMean: it has an interval, and with better="higher" the
best model in bold where that stands. The records hold what `evaluation/dice.py` (Tables 1 and 2) and
`evaluation/distances.py` (Table 3) measure.
"""

from dataclasses import dataclass

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

TABLE_3 = Layout(
    number=3,
    title="distance of generated images to real test images, on features of the real-data segmenter",
    real_row=REFERENCE_ROW,
    columns=(
        Measure(
            "frechet",
            key="distance.frechet",
            real_key="distance.frechet",
            heading="Fréchet distance",
            decimals=3,
        ),
        Measure(
            "kernel",
            key="distance.kernel",
            real_key="distance.kernel",
            heading="kernel distance × 10³",
            decimals=3,
            factor=1000,
            deviation_column="kernel_subset_std",
            deviation_key="distance.kernel_std",
        ),
        Fact("n_generated", "distance.n_generated", heading="images"),
        Fact("n_real", "distance.n_real", heading="test images"),
        Fact("n_features", "distance.n_features"),
        Fact("kernel_subsets", "distance.kernel_subsets"),
        Fact("kernel_subset_size", "distance.kernel_subset_size"),
        Fact("kernel_seed", "distance.kernel_seed"),
        TrainingCost(note=notes.TRAINING),
        SeedCount(),
    ),
    notes=(
        notes.features,
        (
            "Such distances miss anatomical realism: images can have the features of real ones and an "
            "impossible anatomy. Tables 1 and 2 measure anatomy."
        ),
        (
            f"The row {REFERENCE_ROW} compares real held-out to real test images: what two sets of real "
            "patients score. Its images trained the segmenter; the models' masks are the test patients' own."
        ),
        notes.few_images,
        notes.kernel,
        notes.seeds,
    ),
    by_class=False,
)

LAYOUTS = {layout.number: layout for layout in (TABLE_1, TABLE_2, TABLE_3)}
