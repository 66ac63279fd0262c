"""Settings of a decoder whose norms are modulated by mask and noise."""

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.models.base import Channels


class Decoder(Settings):
    """Residual blocks from coarse to fine, one a level. Levels count from the finest, 0."""

    channels: tuple[Channels, ...] = Field(min_length=2)
    # Of the layer of each level between mask and noise, and the scale and shift of the level's norms.
    modulation_channels: int = Field(default=32, ge=1)

    @property
    def stride(self) -> int:
        """An image side must be a multiple of this many pixels; the coarsest map is two pixels a side."""
        return 2 << (len(self.channels) - 1)
