"""Settings of the data stage: where a dataset comes from and how its volumes become slices."""

from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from segguided.config.base import Settings
from segguided.config.ct_org import CtOrgSource
from segguided.config.idc import IdcSource
from segguided.config.patient_source import Label, PatientSource
from segguided.config.texts import ClassName


class AnatomyClass(Settings):
    """One class of a mask. Its place in the dataset's list, from 1, is its value in the mask."""

    name: ClassName
    color: str = "white"  # in figures; any colour matplotlib knows
    label: int | None = Field(
        default=None, ge=1, le=255
    )  # nifti, png: value in the label map; None: the class's index
    file: str | None = None  # dicom: name of the .seg.nrrd, with {patient}
    segment: str | None = None  # dicom: SegmentN_Name in that file; None takes every voxel it marks

    @field_validator("file")
    @classmethod
    def _placeholders(cls, file: str | None) -> str | None:
        if file and _placeholders(file) - {"patient"}:
            raise ValueError(f"'{file}' may hold no placeholder but {{patient}}; mend the name")
        return file


class DicomSource(PatientSource):
    """One folder of DICOM files a patient and .seg.nrrd masks (the Duke layout)."""

    kind: Literal["dicom"]
    images: str  # folder that holds <patient>/*.dcm
    masks: str  # folder in or below which <patient>/<class file> lies

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The patient's folder of DICOM files, and the folder that holds all masks."""
        return [f"{self.images}/{row['patient']}", self.masks]


class NiftiSource(PatientSource):
    """A folder of NIfTI volumes and label maps; patterns may use any column of the patient table."""

    kind: Literal["nifti"]
    folder: str
    image: str = "{patient}.nii.gz"
    mask: str = "{patient}_mask.nii.gz"
    ignore: tuple[Label, ...] = ()  # labels that become background

    @field_validator("image", "mask")
    @classmethod
    def _varies(cls, pattern: str) -> str:
        if not _placeholders(pattern):
            raise ValueError(
                f"'{pattern}' names one file for all patients; use a column, such as {{patient}}"
            )
        return pattern

    @property
    def columns(self) -> set[str]:
        """The columns in the braces of its patterns."""
        return {"patient"} | _placeholders(self.image) | _placeholders(self.mask)

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """Image and label map."""
        return [f"{self.folder}/{pattern.format(**row)}" for pattern in (self.image, self.mask)]


class PngSource(PatientSource):
    """PNG slices and masks of equal names in train, val and test: the layout of the paper authors' code."""

    kind: Literal["png"]
    images: str  # folder that holds {train,val,test}/<patient>_slice_<number>.png
    masks: str  # folder that holds the same names, with a class's value in its pixels
    ignore: tuple[Label, ...] = ()  # values that become background

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

    def raw_files(self, row: Mapping[str, str], dataset: str) -> list[str]:
        """The source package."""
        return [f"<results>/downloads/{row['package']}.tar.gz"]


Source = Annotated[
    DicomSource | NiftiSource | PngSource | PhantomSource | DemoCtSource | CtOrgSource | IdcSource,
    Field(discriminator="kind"),
]


class Window(Settings):
    """CT: Hounsfield units from `low` to `high` map linearly to 0…255."""

    kind: Literal["window"]
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "Window":
        if self.low >= self.high:
            raise ValueError(f"window needs low < high, got low={self.low:g} and high={self.high:g}")
        return self


class Percentile(Settings):
    """MRI: the volume's `low` to `high` percentiles map linearly to 0…255."""

    kind: Literal["percentile"]
    low: float = Field(ge=0, le=100)
    high: float = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> "Percentile":
        if self.low >= self.high:
            raise ValueError(f"percentile clip needs low < high, got low={self.low:g} and high={self.high:g}")
        return self


class AsIs(Settings):
    """Grey values that already run from 0 to 255, such as those of PNG files."""

    kind: Literal["as-is"]


Intensity = Annotated[Window | Percentile | AsIs, Field(discriminator="kind")]


class SliceSelection(Settings):
    """Which axial slices of a volume are kept."""

    every: int = Field(default=1, ge=1)  # keep each n-th slice
    min_foreground: float = Field(default=0.0, ge=0, lt=1)  # least share of labelled pixels


class About(Settings):
    """What a dataset's card says of its origin."""

    licence: str | None = None
    citation: str | None = None
    url: str | None = None


class DrawnSplit(Settings):
    """A patient-wise split drawn by a recorded seed: of all patients, or of those a column leaves open."""

    seed: int = Field(ge=0)
    held_out: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)  # the patients left over train
    # Instead of counts: the patient table's column that says train, held-out, test or held-out-or-test; the
    # patients of the last are halved into held-out and test.
    column: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "DrawnSplit":
        counts = [self.held_out, self.test]
        if counts.count(None) != (2 if self.column else 0):
            raise ValueError(
                f"expected both counts, held_out and test, or else a column, got held_out={self.held_out}, "
                f"test={self.test} and column={self.column}; set the one (null unsets) or the other"
            )
        return self


class Preparation(Settings):
    """All that decides the pixels of a dataset's slices."""

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
        match self.source:
            case DicomSource() | PhantomSource() | IdcSource():
                _check_segments(self.source.kind, self.classes)
            case NiftiSource() | PngSource() | CtOrgSource():
                _check_labels(self.source, self.classes)
        return self

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[AnatomyClass, ...]) -> tuple[AnatomyClass, ...]:
        twice = _twice([c.name for c in classes])
        if twice:
            raise ValueError(f"class names must differ, but {twice} stands twice; rename one")
        return classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the foreground classes; the k-th name (from 1) is value k in a mask."""
        return tuple(c.name for c in self.classes)


def _check_segments(kind: str, classes: tuple[AnatomyClass, ...]) -> None:
    lacking = [c.name for c in classes if not c.file]
    if lacking:
        raise ValueError(
            f"classes {', '.join(lacking)} of a {kind} dataset name no .seg.nrrd; "
            "give each class its `file` (and `segment`)"
        )
    twice = _twice([f"{c.segment or 'all'} of {c.file}" for c in classes])
    if twice:
        raise ValueError(f"{twice} stands for two classes; give each class its own `segment`")


def _check_labels(source: NiftiSource | PngSource | CtOrgSource, classes: tuple[AnatomyClass, ...]) -> None:
    labels = [k if c.label is None else c.label for k, c in enumerate(classes, 1)]
    twice = _twice(list(map(str, labels)))
    if twice:
        raise ValueError(f"label {twice} stands for two classes; give each class its own `label`")
    both = sorted(set(labels) & set(source.ignore))
    if both:
        raise ValueError(f"source.ignore names {both}, which are labels of classes; remove them from either")


def _twice(names: list[str]) -> str:
    return ", ".join(sorted({n for n in names if names.count(n) > 1}))


def _placeholders(pattern: str) -> set[str]:
    try:
        return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
    except ValueError as error:
        raise ValueError(
            f"'{pattern}' is no file name pattern ({error}); write a column as {{patient}}"
        ) from None


class Dataset(Preparation):
    """One dataset: its preparation, patient table, split, and the published values beside its results."""

    manifest: (
        str  # tab-separated patient table with a column `patient`, and `split` unless `split` is set here
    )
    split: DrawnSplit | None = None  # None: the manifest's column `split` decides
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
        """The Preparation as a script's JSON argument, without what changes no pixel: that reruns nothing."""
        fields = self.model_dump(include=set(Preparation.model_fields))
        for anatomy_class in fields["classes"]:
            del anatomy_class["color"]
        fields["source"].pop("endpoint", None)  # whichever server sends a series, it is the same
        return Preparation.model_validate(fields).to_json()
