"""Settings of what figures show."""

from typing import Literal

from pydantic import Field

from segguided.config.base import Settings


class ShownMasks(Settings):
    """Figures 2 and 5: which test masks."""

    # random: of the masks that hold a class, each as likely. chosen: those that show most classes.
    masks: Literal["random", "chosen"] = "random"
    seed: int = Field(default=0, ge=0)  # of the random ones

    @property
    def title(self) -> str:
        """The words over a column of masks."""
        if self.masks == "chosen":
            return "chosen mask"
        return f"random mask (seed\N{NO-BREAK SPACE}{self.seed})"


RANDOM = ShownMasks()
