"""Settings of the evaluation."""

from pydantic import Field

from segguided.config.base import Settings


class Diversity(Settings):
    """Table 3's diversity: several images of each of some test masks."""

    masks: int = Field(default=200, ge=1)  # about so many, equally many of each test patient
    images_per_mask: int = Field(default=3, ge=2)  # each from its own noise


class Evaluation(Settings):
    """Who chooses and who measures, and how many images Table 3's measures take."""

    # One half of the test patients selects segmenters, the other measures them.
    halves_seed: int = Field(default=0, ge=0)
    # Tables 1 and 3 and Figures 3, 4 and 6 show only the half that chose no segmenter's epoch, which Table 2
    # does in any case. False: all test patients, as in the paper.
    measuring_half_only: bool = False

    # The distance is a mean over random subsets, with its deviation (Bińkowski et al.: 100 subsets of 1000
    # images). Where there are few images, a subset is half of them.
    kernel_subsets: int = Field(default=100, ge=2)
    kernel_subset_size: int = Field(default=1000, ge=2)
    kernel_seed: int = Field(default=0, ge=0)
