"""Footnotes of the models' rows in all tables: what a reader must know of a model's settings.

A new footnote is one more text in `row_notes`, true to the settings that it speaks of.
"""

from segguided.config.models.base import ModelSettings
from segguided.config.models.controlnet import ControlNetModel
from segguided.config.models.diffusion import DenoiserSettings, DiffusionModel
from segguided.config.models.regression import RegressionModel
from segguided.config.models.spade import SpadeModel
from segguided.config.sampling import Sampling

CONTROLNET_STARTS = {
    "pretrained": "starts from pre-trained weights in Stable Diffusion's layout, as in the paper",
    "scratch": "trained from random weights; the paper's starts from Stable Diffusion's",
}
ENCODER = (
    "perceptual loss on a plain encoder of another architecture than the segmenter that measures, trained on "
    "the training patients"
)
SPADE_PERCEPTUAL = {
    "none": "trained without a perceptual loss; the paper's has one on VGG-19",
    "vgg19": "perceptual loss on VGG-19, as in the paper",
    "encoder": f"{ENCODER}; that of SPADE's authors is on VGG-19",
}
PERCEPTUAL = {
    "vgg19": "trained with a perceptual loss on VGG-19",
    "encoder": f"trained with a {ENCODER}",
}
REGRESSION = "control: one call, no noise. What ranks it as high as a generator cannot tell the two apart"

WHOLE_ALONE = "trained on the fully annotated patients alone, for it knows no free classes"

MASK_ABLATION = {
    "none": "its masks are whole at every sampling step",
    "step": "classes are removed from its masks at random at every sampling step",
}
ANY_MODEL = (
    "trained with mask ablation, which the paper calls applicable to any model that sees masks, and tried on "
    "its own alone"
)
NOT_IN_THE_PAPER = (
    "the paper does not say in which of two ways its MAT was measured: with whole masks, or with classes "
    "removed at random at every sampling step, as its authors' code can"
)


def row_notes(model: ModelSettings, sampling: Sampling, *, lacks_annotation: bool = False) -> list[str]:
    """The footnotes of a model's row, each without a full stop at its end.

    `model`: the settings of its network; `sampling`: how its images are sampled;
    `lacks_annotation`: whether some training patient was not annotated for a class.
    """
    notes = []
    if isinstance(model, ControlNetModel):
        notes.append(CONTROLNET_STARTS[model.init.kind])
    if isinstance(model, SpadeModel):
        notes.append(SPADE_PERCEPTUAL[model.perceptual.kind])
    if isinstance(model, DiffusionModel) and model.losses.perceptual_network:
        notes.append(PERCEPTUAL[model.perceptual.kind])
    if isinstance(model, RegressionModel):
        notes.append(REGRESSION)
    if lacks_annotation and model.needs_full_annotation:
        notes.append(WHOLE_ALONE)
    if model.trained_with_ablation and not isinstance(model, DenoiserSettings):
        notes.append(ANY_MODEL)
    elif model.trained_with_ablation:
        notes.append(f"{MASK_ABLATION[sampling.mask_ablation]}; {NOT_IN_THE_PAPER}")
    return notes
