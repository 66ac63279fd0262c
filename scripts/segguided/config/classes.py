"""Settings of the classes in a dataset's masks."""

from typing import Annotated

from pydantic import Field, field_validator

from segguided.config.base import Settings
from segguided.config.checks.names import check_class, check_color, check_inside, placeholders
from segguided.config.checks.texts import ClassName, ClassTitle

LARGEST_LABEL = 2**32 - 1  # atlases number regions far beyond 255
Label = Annotated[int, Field(ge=0, le=LARGEST_LABEL)]


class AnatomyClass(Settings):
    """One class of a mask. Its place in the dataset's list, from 1, is its value in the mask."""

    name: ClassName
    title: ClassTitle | None = None  # in figures, data cards and captions: free text; None: the name
    color: str = "white"  # in figures; any colour that matplotlib knows
    # nifti, ct-org, png: the class's value in the label map. A png dataset may leave it out for all classes:
    # then the value is the class's place in the list.
    label: int | None = Field(default=None, ge=1, le=LARGEST_LABEL)
    # dicom: name of the .seg.nrrd, DICOM-SEG or RTSTRUCT, with {patient}
    file: str | None = None
    # dicom: SegmentN_Name, SegmentLabel or ROIName in that file; None takes every voxel it marks
    segment: str | None = None

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        return check_class(name)

    @field_validator("title")
    @classmethod
    def _title_is_free(cls, title: str | None) -> str | None:
        return title if title is None else check_class(title)

    @field_validator("color")
    @classmethod
    def _color_is_known(cls, color: str) -> str:
        return check_color(color)

    @field_validator("file")
    @classmethod
    def _file_varies_by_patient_alone(cls, file: str | None) -> str | None:
        if not file:
            return file
        if placeholders(file) - {"patient"}:
            raise ValueError(f"'{file}' may hold no placeholder but {{patient}}; correct the name")
        return check_inside(file, "the file")
