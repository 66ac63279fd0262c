"""Settings of one training run of one network."""

from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from segguided.config.base import Settings

Precision = Literal["auto", "bf16", "fp32"]  # auto: bf16 where the device computes it natively
AUTO: Final = "auto"


def _in_one_sentence(value: object, check: ValidatorFunctionWrapHandler) -> object:
    """Where pydantic would give a sentence for each type that is allowed."""
    try:
        return check(value)
    except ValueError:
        raise ValueError(
            f"expected a whole number of at least 1, auto, or null for the whole batch, got {value!r}"
        ) from None


def _is_fixed(value: object) -> object:
    if value == AUTO:
        raise ValueError(
            "auto is not for SPADE, whose batch norms take their statistics over a micro-batch; give a "
            "number, or null for the whole batch"
        )
    return value


# Images on the device at once: the gradient of a batch is summed over its parts. None: the whole batch.
FixedMicroBatchSize = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_is_fixed)]
# auto: as many as the device's memory holds.
MicroBatchSize = Annotated[
    Annotated[int, Field(ge=1)] | Literal["auto"] | None, WrapValidator(_in_one_sentence)
]


class TrainingLength(Settings):
    """How long a training run is."""

    epochs: int | None = Field(default=None, ge=1)  # exactly one of epochs and steps
    steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(ge=1)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            given = "both" if self.epochs else "neither"
            raise ValueError(f"expected either epochs or steps, got {given}; set one, and the other to null")
        return self


class Training(TrainingLength):
    """One training run of one network: length, optimiser and averaging."""

    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    # d: the weights kept are Σ d^(t−i)·w_i / Σ d^(t−i) of those after step i = 1…t; None: the last ones
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    precision: Precision = "auto"
