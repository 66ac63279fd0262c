"""What every kind of model has in common."""

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from segguided.config.base import Settings

Channels = Annotated[int, Field(ge=1)]


class ModelSettings(Settings):
    """What the workflow needs to know of a model of any kind."""

    title: str | None = None  # in tables and figures; None: its name
    # The fields that decide what training or importing makes. A new value of another field retrains nothing.
    decide_weights: ClassVar[frozenset[str]] = frozenset({"kind"})

    @field_validator("title")
    @classmethod
    def _begins_without_a_dash(cls, title: str | None) -> str | None:
        if title and title.startswith("-"):
            raise ValueError(
                f"'{title}' begins with '-', which commands take for an option; begin with another character"
            )
        return title

    def training_json(self) -> str:
        """The settings that decide the weights, for a training script."""
        return self.to_json(self.decide_weights)

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        raise NotImplementedError

    @property
    def timesteps(self) -> int | None:
        """Length of its noise schedule; None: it does not generate step by step."""
        return None

    @property
    def sees_a_mask(self) -> bool:
        """Whether its images follow a mask."""
        return True

    @property
    def denoises_under_a_mask(self) -> bool:
        """Whether it is an image-space diffusion model that sees the mask at every step."""
        return False

    @property
    def trained_with_ablation(self) -> bool:
        """Whether its training removed classes from masks at random."""
        return False

    @property
    def needs_full_annotation(self) -> bool:
        """Whether it trains on fully annotated patients alone, for it knows no free classes."""
        return self.sees_a_mask and not self.trained_with_ablation
