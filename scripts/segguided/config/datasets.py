"""Settings of the data stage: where a dataset comes from and how its volumes become slices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from segguided.config.base import Settings
from segguided.config.checks.labels import check_drawn, check_labels, check_segments, twofold
from segguided.config.checks.names import check_class, check_color, check_inside, placeholders
from segguided.config.checks.paths import UsablePath
from segguided.config.checks.texts import ClassName
from segguided.config.intensity import Intensity
from segguided.config.sources.ct_org import CtOrgSource
from segguided.config.sources.idc import IdcSource
from segguided.config.sources.patient_source import LARGEST_LABEL, Label, PatientSource
from segguided.listing import find


class AnatomyClass(Settings):
    """One class of a mask. Its place in the dataset's list, from 1, is its value in the mask."""

    name: ClassName
    color: str = "white"  # in figures; any colour matplotlib knows
    label: int | None = Field(
        default=None, ge=1, le=LARGEST_LABEL
    )  # nifti, ct-org, png: value in the label map; png without any label: the class's place in the list
    file: str | None = None  # dicom: name of the .seg.nrrd, with {patient}
    segment: str | None = None  # dicom: SegmentN_Name in that file; None takes every voxel it marks

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        return check_class(name)

    @field_validator("color")
    @classmethod
    def _known(cls, color: str) -> str:
        return check_color(color)

    @field_validator("file")
    @classmethod
    def _placeholders(cls, file: str | None) -> str | None:
        if file and placeholders(file) - {"patient"}:
            raise ValueError(f"'{file}' may hold no placeholder but {{patient}}; mend the name")
        return file and check_inside(file, "the file")


class DicomSource(PatientSource):
    """One folder of DICOM files a patient and .seg.nrrd masks (the Duke layout)."""

    kind: Literal["dicom"]
    images: UsablePath  # folder that holds <patient>/*.dcm
    masks: UsablePath  # folder in or below which <patient>/<class file> lies

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The patient's folder of DICOM files, and the folder that holds all masks."""
        return [str(find(Path(self.images, row["patient"]))), self.masks]


class NiftiSource(PatientSource):
    """A folder of NIfTI volumes and label maps; patterns may use any column of the patient table."""

    kind: Literal["nifti"]
    folder: UsablePath
    image: str = "{patient}.nii.gz"
    mask: str = "{patient}_mask.nii.gz"
    ignore: tuple[Label, ...] = ()  # labels that become background
    read_by_slicing: ClassVar = frozenset({"kind", "ignore"})

    @field_validator("image", "mask")
    @classmethod
    def _varies(cls, pattern: str) -> str:
        if not placeholders(pattern):
            raise ValueError(
                f"'{pattern}' names one file for all patients; use a column, such as {{patient}}"
            )
        return check_inside(pattern, "the file")

    @property
    def columns(self) -> set[str]:
        """The patient, and what names its files."""
        return {"patient"} | self.path_columns

    @property
    def path_columns(self) -> set[str]:
        """The columns in the braces of its patterns."""
        return placeholders(self.image) | placeholders(self.mask)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """Image and label map."""
        return [str(find(Path(self.folder, pattern.format(**row)))) for pattern in (self.image, self.mask)]


class PngSource(PatientSource):
    """PNG slices and masks of equal names in train, val and test: the layout of the paper authors' code."""

    kind: Literal["png"]
    images: UsablePath  # folder that holds {train,val,test}/<patient>_slice_<number>.png
    masks: UsablePath  # folder that holds the same names, with a class's value in its pixels
    ignore: tuple[Label, ...] = ()  # values that become background
    read_by_slicing: ClassVar = frozenset({"kind", "ignore"})

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The folders of all patients' images and masks."""
        return [self.images, self.masks]


class PhantomSource(PatientSource):
    """Digital breast phantoms, written as DICOM and .seg.nrrd in the Duke layout, then read like Duke."""

    kind: Literal["phantom"]
    size: int = Field(default=96, ge=32)  # in-plane voxels
    slices: int = Field(default=24, ge=4)
    contrast: Literal["t1-fat-suppressed", "t2"] = "t1-fat-suppressed"  # the anatomy is the same under each
    seed: int = Field(default=0, ge=0)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The receipt of the files written for the patient."""
        return [f"<results>/raw/{dataset}/receipts/{row['patient']}.json"]


class DemoCtSource(PatientSource):
    """Real CTs that ship inside open-source packages; the patient table names package, file and checksum."""

    kind: Literal["demo-ct"]

    @property
    def columns(self) -> set[str]:
        """Package and its checksum; the file in it, and masks of contrast-filled vessels."""
        return {"patient", "package", "sha256", "member", "blood"}

    @property
    def columns_read_by_slicing(self) -> set[str]:
        """The file in the package, and masks of contrast-filled vessels."""
        return {"patient", "member", "blood"}

    @property
    def path_columns(self) -> set[str]:
        """Package and file in it."""
        return {"package", "member"}

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The source package."""
        return [f"<results>/downloads/{row['package']}.tar.gz"]


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
    test: int | None = Field(default=None, ge=1)  # the patients left over train
    # Instead of counts: the patient table's column that says train, held-out, test or held-out-or-test; the
    # patients of the last are halved into held-out and test. `column: null` says that counts win over the
    # patient table's column `split`.
    column: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "RandomSplit":
        counts = [self.held_out, self.test]
        if counts.count(None) != (2 if self.column else 0):
            raise ValueError(
                f"expected both counts, held_out and test, or else a column, got held_out={self.held_out}, "
                f"test={self.test} and column={self.column}; set the one (null unsets) or the other"
            )
        return self


# The fields that decide the pixels of slices, beside the source's own. What is left out, such as names and
# colours, slices and trains nothing again; tests/test_decisions.py asks for a decision on each new field.
DECIDE_PIXELS = frozenset({"intensity", "image_size", "slices", "interpolation"})
DECIDE_PIXELS_OF_A_CLASS = frozenset({"label", "file", "segment"})  # and its place in the list


class Preparation(Settings):
    """How a dataset's volumes become slices."""

    source: Source
    classes: tuple[AnatomyClass, ...] = Field(min_length=1, max_length=254)
    intensity: Intensity
    image_size: int = Field(ge=16)  # slices become image_size × image_size pixels
    slices: SliceSelection = SliceSelection()
    # Filter of the images' resizing, as wide as shrinking asks for. Masks always take the nearest neighbour,
    # which invents no class.
    interpolation: Literal["triangle", "cubic", "lanczos", "box"] = "triangle"

    @model_validator(mode="after")
    def _classes_fit_source(self) -> "Preparation":
        labels = {c.name: c.label for c in self.classes}
        match self.source:
            case DicomSource() | PhantomSource() | IdcSource():
                check_segments(self.source.kind, labels, {c.name: (c.file, c.segment) for c in self.classes})
            case NiftiSource() | PngSource() | CtOrgSource():
                check_labels(self.source.kind, labels, self.source.ignore)
            case DemoCtSource():
                check_drawn(self.source.kind, labels)
        return self

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[AnatomyClass, ...]) -> tuple[AnatomyClass, ...]:
        twice = twofold([c.name for c in classes])
        if twice:
            raise ValueError(f"class names must differ, but {twice} stands twice; rename one")
        return classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the foreground classes; the k-th name (from 1) is value k in a mask."""
        return tuple(c.name for c in self.classes)


class Dataset(Preparation):
    """One dataset: its preparation, patient table, split, and the published values beside its results."""

    # Tab-separated patient table with a column `patient`, and `split` unless `split` is set here.
    manifest: UsablePath
    split: RandomSplit | None = None  # None: the manifest's column `split` decides
    about: About = About()
    paper_column: Literal["breast-mri", "ct-organ"] | None = None
    # Sets of classes that are kept while the others are removed: figures 3 and 6. Figure 4 and the paired
    # images take the first.
    partial_masks: tuple[Annotated[tuple[ClassName, ...], Field(min_length=1)], ...] = ()
    rare_class: ClassName | None = None  # the class whose masks `snakemake applications` draws more often

    @model_validator(mode="after")
    def _known_classes(self) -> "Dataset":
        for kept in self.partial_masks:
            unknown = sorted(set(kept) - set(self.class_names))
            if unknown or len(set(kept)) < len(kept) or len(kept) == len(self.classes):
                raise ValueError(
                    f"partial_masks: expected some, not all, of {', '.join(self.class_names)}, each once, "
                    f"got {list(kept)}; correct it"
                )
        if self.rare_class is not None and self.rare_class not in self.class_names:
            raise ValueError(
                f"rare_class is '{self.rare_class}', but the classes are {', '.join(self.class_names)}; "
                "name one of them"
            )
        return self

    @property
    def split_column(self) -> str:
        """The patient table's column that may decide splits, and decides nothing else."""
        return (self.split and self.split.column) or "split"

    def preparation_json(self) -> str:
        """The Preparation as a script's JSON argument, of nothing but what decides a pixel.

        Classes are called by their numbers in it.
        """
        fields = self.model_dump(include=set(DECIDE_PIXELS))
        classes = [
            {"name": str(number), **one.model_dump(include=set(DECIDE_PIXELS_OF_A_CLASS))}
            for number, one in enumerate(self.classes, 1)
        ]
        fields |= {"source": self.source.for_slicing(), "classes": classes}
        return Preparation.model_validate(fields).to_json()
