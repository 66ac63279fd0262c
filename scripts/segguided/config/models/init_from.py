"""Settings of fine-tuning: the trained weights that a training begins with, in place of random ones."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from segguided.config.base import Settings
from segguided.config.checks.paths import UsablePath


class InitFrom(Settings):
    """Where a training begins: an own run, or a folder in the layout of the paper's authors."""

    run: UsablePath | None = None  # a folder with model.safetensors and config.json, trained or imported here
    folder: UsablePath | None = None  # as of a model of kind imported: unet/, or config.json and the weights
    # Of `folder`, by default as in the authors' weights; a run says it itself.
    conditioning: Literal["none", "index255", "onehot", "onehot_free"] = "index255"
    # The classes that the weights know, in the order of their mask values 1, 2, …; null: the run.json of
    # `run` says them.
    classes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "InitFrom":
        if (self.run is None) == (self.folder is None):
            given = "both" if self.run else "neither"
            raise ValueError(f"expected either run or folder, got {given}; set one, and the other to null")
        return self

    @model_validator(mode="after")
    def _names_its_classes(self) -> "InitFrom":
        if self.folder and self.conditioning != "none" and not self.classes:
            raise ValueError(
                "weights in a folder do not say which classes they know; list `classes`, in the order of "
                "their mask values 1, 2, …"
            )
        if self.classes and len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes {list(self.classes)} names one twice; list each once")
        return self
