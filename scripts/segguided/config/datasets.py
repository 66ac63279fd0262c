"""Settings of the data stage: where a dataset comes from and how its volumes become slices."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from segguided.config.base import Settings
from segguided.config.checks.labels import check_titles, repeated_names
from segguided.config.checks.paths import UsablePath
from segguided.config.checks.texts import ClassName
from segguided.config.classes import AnatomyClass
from segguided.config.intensity import Intensity
from segguided.config.sources.ct_org import CtOrgSource
from segguided.config.sources.demo_ct import DemoCtSource
from segguided.config.sources.dicom import DicomSource
from segguided.config.sources.idc import IdcSource
from segguided.config.sources.nifti import NiftiSource
from segguided.config.sources.phantom import PhantomSource
from segguided.config.sources.png import PngSource

Source = Annotated[
    DicomSource | NiftiSource | PngSource | PhantomSource | DemoCtSource | CtOrgSource | IdcSource,
    Field(discriminator="kind"),
]


class SliceSelection(Settings):
    """Which axial slices of a volume are kept."""

    every: int = Field(default=1, ge=1)  # keep each n-th slice
    min_foreground: float = Field(default=0.0, ge=0, lt=1)  # least share of labelled pixels


class About(Settings):
    """What a dataset's card says of its origin."""

    licence: str | None = None
    citation: str | None = None
    url: str | None = None


class RandomSplit(Settings):
    """Patients split at random with a seed: all patients, or those that a column leaves open."""

    seed: int = Field(ge=0)
    held_out: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)  # all other patients train
    # In place of counts: the patient table's column that says train, held-out, test or held-out-or-test. The
    # patients of the last are halved into held-out and test. `column: null` says that the counts decide, even
    # where the patient table has a column `split`.
    column: str | None = None

    @model_validator(mode="after")
    def _counts_or_column(self) -> "RandomSplit":
        counts = [self.held_out, self.test]
        if counts.count(None) != (2 if self.column else 0):
            raise ValueError(
                f"expected both counts, held_out and test, or else a column, got held_out={self.held_out}, "
                f"test={self.test} and column={self.column}; set one of the two, and the other to null"
            )
        return self


# The fields that decide the pixels of slices, beside the source's own. A new value of another field, such as
# a colour, slices and trains nothing again; tests/workflow/test_decisions.py asks about each new field.
DECIDE_PIXELS = frozenset({"intensity", "image_size", "slices", "interpolation"})
DECIDE_PIXELS_OF_A_CLASS = frozenset({"label", "file", "segment"})  # and its place in the list


class Preparation(Settings):
    """How a dataset's volumes become slices."""

    source: Source
    classes: tuple[AnatomyClass, ...] = Field(min_length=1, max_length=254)
    intensity: Intensity
    image_size: int = Field(ge=16)  # slices become image_size × image_size pixels
    slices: SliceSelection = SliceSelection()
    # How images are resized; shrinking widens the filter. Masks always take the nearest neighbour, because
    # any other filter would invent classes.
    interpolation: Literal["triangle", "cubic", "lanczos", "box"] = "triangle"

    @field_validator("classes")
    @classmethod
    def _distinct_names(cls, classes: tuple[AnatomyClass, ...]) -> tuple[AnatomyClass, ...]:
        repeated = repeated_names([c.name for c in classes])
        if repeated:
            raise ValueError(f"class names must differ, but {repeated} appears twice; rename one")
        check_titles(classes)
        return classes

    @model_validator(mode="after")
    def _classes_fit_source(self) -> "Preparation":
        self.source.check_classes(self.classes)
        return self

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels of an image; none where it has one, without a name."""
        return tuple(channel.name for channel in self.source.image_channels)

    @property
    def intensities(self) -> tuple[Intensity, ...]:
        """The intensity of each channel."""
        channels = self.source.image_channels
        return tuple(channel.intensity or self.intensity for channel in channels) or (self.intensity,)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the foreground classes; the k-th name (from 1) is value k in a mask."""
        return tuple(c.name for c in self.classes)

    @property
    def class_titles(self) -> dict[str, str]:
        """The title of each class that has one beside its name."""
        return {c.name: c.title for c in self.classes if c.title}


class Dataset(Preparation):
    """One dataset: its preparation, patient table, split, and the published values beside its results."""

    # Tab-separated patient table with a column `patient`, and `split` unless `split` is set here.
    manifest: UsablePath
    split: RandomSplit | None = None  # None: the manifest's column `split` decides
    about: About = About()
    paper_column: Literal["breast-mri", "ct-organ"] | None = None  # its values are beside ours, to compare
    # Whether these are the data of paper_column. Only then do tables give the difference to its values.
    is_papers_data: bool = False
    # Figures 3 and 6: sets of classes that are kept while the others are removed. Figure 4 and the paired
    # images take the first set.
    partial_masks: tuple[Annotated[tuple[ClassName, ...], Field(min_length=1)], ...] = ()
    # `snakemake applications` generates more images with this class. None: the one with the fewest pixels in
    # the masks of the held-out patients, from which the segmenters learn.
    rare_class: ClassName | None = None
    # Whether a mirrored mask, with left and right exchanged, could be another patient's. Half of the new
    # masks of rare cases are mirrored then. Not where an organ lies on one side.
    mirror: bool = False

    @model_validator(mode="after")
    def _known_partial_masks(self) -> "Dataset":
        for kept in self.partial_masks:
            unknown = set(kept) - set(self.class_names)
            repeated = len(set(kept)) < len(kept)
            if unknown or repeated or len(kept) == len(self.classes):
                raise ValueError(
                    f"partial_masks: expected some, not all, of {', '.join(self.class_names)}, each once, "
                    f"got {list(kept)}; correct it"
                )
        return self

    @model_validator(mode="after")
    def _known_rare_class(self) -> "Dataset":
        if self.rare_class is not None and self.rare_class not in self.class_names:
            raise ValueError(
                f"rare_class is '{self.rare_class}', but the classes are {', '.join(self.class_names)}; "
                "name one of them"
            )
        return self

    @model_validator(mode="after")
    def _papers_data_have_a_column(self) -> "Dataset":
        if self.is_papers_data and self.paper_column is None:
            raise ValueError(
                "is_papers_data is true, but paper_column does not say which dataset of the paper this is; "
                "name it, or take is_papers_data out"
            )
        return self

    @property
    def split_column(self) -> str:
        """The patient table's column that may decide splits, and decides nothing else."""
        return (self.split and self.split.column) or "split"

    def preparation_json(self) -> str:
        """The Preparation as a script's JSON argument, of nothing but what decides a pixel.

        The numbers of the classes replace their names.
        """
        fields = self.model_dump(include=set(DECIDE_PIXELS))
        fields["source"] = self.source.for_slicing()
        fields["classes"] = [
            {"name": str(number), **c.model_dump(include=set(DECIDE_PIXELS_OF_A_CLASS))}
            for number, c in enumerate(self.classes, start=1)
        ]
        return Preparation.model_validate(fields).to_json()
