"""What each field of the configuration decides: a new field is entered here before it retrains anything.

A field is one of: `pixels` of slices, `files` (which of them, but no pixel), `weights`, `images` that are
generated, `numbers` that are measured, `patients` of a split, `words` and colours that are shown, `grid`
(what is run) or `machine` (how it is run).
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from segguided.config.classes import AnatomyClass
from segguided.config.datasets import DECIDE_PIXELS, DECIDE_PIXELS_OF_A_CLASS, Dataset
from segguided.config.models.base import ModelSettings
from segguided.config.models.controlnet import ControlNetModel
from segguided.config.sampling import Sampling
from segguided.config.sources.patient_source import PatientSource
from segguided.config.workflow import Config, load

ROOT = Path(__file__).parents[2]
SCHEDULE = "growth timesteps beta_start beta_end"
LENGTH = "epochs steps batch_size"
DECISIONS = {
    "Config": {
        "grid": "grid datasets models applications",
        "weights": "segmenter",
        "images": "sampling diversity partial_masks similarity",
        "numbers": "evaluation",
        "comparisons": "ablation sweeps",
        "what is shown": "figures",
        "machine": "checkpoint_seconds preview_every tensorboard compile deterministic pathvars",
    },
    "ShownMasks": {"what is shown": "masks seed"},
    "Ablation": {"grid": "models timed_against", "numbers": "timing"},
    "Timing": {"numbers": "share limit masks"},
    "Sweep": {"grid": "lines", "words": "title chosen logarithmic"},
    "SweepPoint": {"words": "value", "grid": "model"},
    "Grid": {"grid": "datasets models seeds"},
    "Dataset": {
        "pixels": "source classes intensity image_size slices interpolation",
        "files": "manifest",
        "patients": "split",
        "words": "about paper_column is_papers_data",
        "images": "partial_masks rare_class mirror",
    },
    "DicomSource": {"pixels": "kind channels", "files": "images masks"},
    "NiftiSource": {"pixels": "kind ignore channels", "files": "folder image mask"},
    "PngSource": {"pixels": "kind ignore channels", "files": "images masks"},
    "PhantomSource": {"pixels": "kind channels", "files": "size slices contrast seed"},
    "Channel": {"pixels": "intensity", "words": "name"},
    "NiftiChannel": {"pixels": "intensity", "words": "name", "files": "image"},
    "DicomChannel": {"pixels": "intensity", "words": "name", "files": "series"},
    "PhantomChannel": {"pixels": "intensity", "words": "name", "files": "contrast"},
    "DemoCtSource": {"pixels": "kind"},
    "CtOrgSource": {"pixels": "kind ignore", "files": "folder", "machine": "mirror"},
    "IdcSource": {"pixels": "kind masks", "machine": "endpoint"},
    "AnatomyClass": {"pixels": "label file segment", "words": "name title color"},
    "Window": {"pixels": "kind low high"},
    "Percentile": {"pixels": "kind low high"},
    "AsIs": {"pixels": "kind"},
    "SliceSelection": {"pixels": "every min_foreground"},
    "RandomSplit": {"patients": "seed held_out test column"},
    "About": {"words": "licence citation url"},
    "ControlNetModel": {"words": "title", "weights": "kind init autoencoder latent control"},
    "Pretrained": {"weights": "kind source"},
    "Scratch": {"weights": "kind source autoencoder unet"},
    "AutoencoderSize": {"weights": "channels latent_channels layers_per_block norm_groups attention"},
    "LatentUnetSize": {"weights": "channels attention_levels attention_heads layers_per_block norm_groups"},
    "AutoencoderTraining": {"weights": "kl_weight micro_batch_size training"},
    "Training": {
        "weights": f"{LENGTH} learning_rate warmup_steps weight_decay gradient_clip ema_decay precision"
    },
    "LatentTraining": {"weights": "prediction_type schedule micro_batch_size training"},
    "NoiseSchedule": {"weights": SCHEDULE},
    "ControlTraining": {
        "weights": "conditioning hint_channels sd_locked micro_batch_size training mask_ablation "
        "ablated_share ablation_probability"
    },
    "DiffusionModel": {
        "words": "title",
        "weights": "kind prediction_type schedule conditioning mask_ablation ablated_share "
        "ablation_probability min_snr_gamma losses unet decoder micro_batch_size training augmentation "
        "tissues",
        "images": "sampling completer",
        "where training begins": "init_from",
    },
    "InitFrom": {"where training begins": "run folder conditioning classes"},
    "MaskCompleter": {"weights": "stages augmentation training"},  # of the completer
    "CompletionStage": {
        "weights": "cell unet mlp middle_attention copies one_in noise_scale noise_patch steps"
    },
    "Mlp": {"weights": "width blocks"},
    "Tissues": {"weights": "parts least_share filter_size stages augmentation every"},
    "MaskAugmentation": {"weights": "rotation_deg scale shift deformation"},
    "DenoiserLosses": {
        "weights": "squared_error energy_score perceptual perceptual_network sliced_wasserstein adversarial "
        "feature_matching discriminator pure_noise_share from_step slope_outside",
    },
    "EnergyScore": {"weights": "weight filters filter_size levels blocks block_side perceptual"},
    "PatchDiscriminator": {"weights": "channels layers scales learning_rate betas"},
    "Unet": {"weights": "channels attention_levels layers_per_block norm_groups patch"},
    "SharedWeightsModel": {"words": "title", "weights": "kind weights_of", "images": "sampling"},
    "SamplingChanges": {"images by steps": "sampler steps timestep_spacing mask_ablation guidance"},
    "ImportedModel": {
        "words": "title",
        "grid": "mask_ablation",
        "weights": "kind folder conditioning unet prediction_type schedule clip_sample_range",
    },
    "RegressionModel": {
        "words": "title",
        "weights": "kind conditioning unet micro_batch_size training augmentation",
    },
    "Movement": {"weights": "shift mirror"},
    "SpadeModel": {
        "words": "title",
        "weights": "kind generator discriminator losses perceptual first_weights training mask_ablation "
        "ablated_share ablation_probability augmentation",
        "where training begins": "init_from",
    },
    "Decoder": {"weights": "channels modulation_channels"},
    "SpadeGenerator": {"weights": "channels middle_blocks modulation_channels norm"},
    "SpadeDiscriminator": {"weights": "channels layers scales"},
    "SpadeLosses": {"weights": "adversarial feature_matching perceptual"},
    "NoPerceptual": {"weights": "kind"},
    "Vgg19Perceptual": {"weights": "kind weights"},
    "EncoderPerceptual": {"weights": "kind encoder"},
    "PlainEncoder": {"weights": "channels convolutions training"},
    "Segmenter": {"weights": "channels residual_units augmentation training validation_slices"},
    "Augmentation": {"weights": "rotation_deg scale shift contrast brightness noise"},
    "AdversarialTraining": {
        "weights": f"{LENGTH} generator_learning_rate discriminator_learning_rate betas decay_share "
        "mirror micro_batch_size ema_decay precision"
    },
    "Sampling": {
        "images": "batch_size precision",
        "images by steps": "sampler steps timestep_spacing mask_ablation guidance",
    },
    "Diversity": {"images": "masks images_per_mask"},
    "Evaluation": {
        "numbers": "halves_seed",
        "images and numbers": "measuring_half_only",
        "numbers of table 3": "kernel_subsets kernel_subset_size kernel_seed",
    },
    "PartialMasks": {"grid": "models", "images": "masks samples_per_mask"},
    "Similarity": {"grid": "model", "images": "timestep lambdas steps masks samples_per_mask"},
    "Applications": {
        "grid": "model partial_model translations",
        "rare": "rare",
        "edits": "counterfactuals",
        "start": "translation_start",
    },
    "TranslationStart": {"images": "timestep steps share"},
    "Counterfactuals": {"images": "timestep steps masks classes edits distance share"},
    "RareCases": {"images": "images deformation combine", "grid": "seeds"},
    "Translation": {"grid": "masks dataset"},
}


def reach(kind: Any, classes: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """All settings classes that a field of this type may hold."""
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in classes:
        classes.append(kind)
        for field in kind.model_fields.values():
            reach(field.annotation, classes)
    for argument in get_args(kind):
        reach(argument, classes)
    return classes


CLASSES = {settings.__name__: settings for settings in reach(Config, [])}


def decided(name: str, what: str) -> set[str]:
    return set(DECISIONS[name].get(what, "").split())


@pytest.mark.parametrize("name", CLASSES)
def test_each_field_has_one_decision(name):
    listed = [field for fields in DECISIONS[name].values() for field in fields.split()]
    assert sorted(listed) == sorted(CLASSES[name].model_fields), "say above what the new field decides"


def test_what_decides_pixels_is_what_slicing_is_given():
    assert decided("Dataset", "pixels") == DECIDE_PIXELS | {"source", "classes"}
    assert decided("AnatomyClass", "pixels") == DECIDE_PIXELS_OF_A_CLASS
    sources = {name: source for name, source in CLASSES.items() if issubclass(source, PatientSource)}
    assert len(sources) == 7
    assert {name: source.read_by_slicing for name, source in sources.items()} == {
        name: decided(name, "pixels") for name in sources
    }


def test_what_decides_weights_is_what_training_is_given():
    """ControlNet's three stages have models of their own: AutoencoderStage, LatentStage, ControlTraining."""
    models = {name: model for name, model in CLASSES.items() if issubclass(model, ModelSettings)}
    assert models.pop("ControlNetModel") is ControlNetModel
    assert {name: model.decide_weights for name, model in models.items()} == {
        name: decided(name, "weights") for name in models
    }


def test_what_one_pass_asks_for_is_what_it_is_given():
    sampling = Sampling(sampler="ddim", steps=3, batch_size=4)
    assert json.loads(sampling.generation_json()).keys() == decided("Sampling", "images")


class NewDataset(Dataset):
    """As it would be with fields that no list names."""

    remark: str = "new"


class NewClass(AnatomyClass):
    """As above."""

    remark: str = "new"


def test_a_field_that_no_list_names_slices_and_trains_nothing_again():
    shipped = load(yaml.safe_load((ROOT / "config.yaml").read_text()))
    for name, dataset in shipped.datasets.items():
        values = {field: getattr(dataset, field) for field in Dataset.model_fields}
        classes = tuple(NewClass(**dict(known)) for known in dataset.classes)
        grown = NewDataset.model_construct(**values | {"classes": classes})
        assert grown.preparation_json() == dataset.preparation_json(), name

    class New(type(shipped.models["segguided"])):
        remark: str = "new"

    model = shipped.models["segguided"]
    assert New(**dict(model)).training_json() == model.training_json()


@pytest.mark.parametrize("dataset", ["breast-mri", "ct-organ"])
def test_names_of_the_configuration_stand_in_no_pixel(dataset):
    """Whatever a class is called, slicing is given its number; what it looks for in the files stays."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    before = load(values).datasets[dataset].preparation_json()
    for number, anatomy in enumerate(values["datasets"][dataset]["classes"]):
        anatomy |= {"name": f"other{number}", "title": f"Class {number}", "color": "teal"}
    values["datasets"][dataset] |= {"partial_masks": [], "rare_class": None, "about": {}}
    values["applications"]["counterfactuals"]["classes"] = {}
    assert load(values).datasets[dataset].preparation_json() == before
    values["datasets"][dataset]["classes"].reverse()
    assert load(values).datasets[dataset].preparation_json() != before, "the order decides mask values"
