"""Settings of a UNet: levels, channels, attention, patches."""

from pydantic import Field, model_validator

from segguided.config.base import Settings
from segguided.config.models.base import Channels


class Unet(Settings):
    """diffusers' UNet2DModel. Levels count from the finest, 0."""

    channels: tuple[Channels, ...] = Field(min_length=1)
    attention_levels: tuple[int, ...] = ()
    layers_per_block: int = Field(default=2, ge=1)
    norm_groups: int = Field(default=32, ge=1)
    patch: int = Field(default=1, ge=1)  # space-to-depth before the first layer: patch² times fewer positions

    @model_validator(mode="after")
    def _levels_fit(self) -> "Unet":
        uneven = [c for c in self.channels if c % self.norm_groups]
        if uneven:
            raise ValueError(
                f"channels {uneven} are not multiples of norm_groups={self.norm_groups}; change either"
            )
        outside = [level for level in self.attention_levels if not 0 <= level < len(self.channels)]
        if outside:
            raise ValueError(
                f"attention_levels {outside} do not exist; {len(self.channels)} levels count from 0"
            )
        return self

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels."""
        return self.patch << (len(self.channels) - 1)
