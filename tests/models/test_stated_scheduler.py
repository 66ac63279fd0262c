# ruff: noqa: E501 (a table of sentences)
"""A scheduler file beside weights from elsewhere: an equal one is accepted, another is named with what to write."""

import json
import logging
import re
from typing import Any

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from segguided.config.models.controlnet import LatentStage, LatentTraining, Pretrained
from segguided.config.models.diffusion import NoiseSchedule
from segguided.config.models.imported import ImportedModel
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.generation.samplers.clipping import clip_as_stated
from segguided.generation.sampling import ddim_scheduler, initial_noise, make_scheduler, sample
from segguided.models import diffusion
from segguided.models.controlnet.latent import check_noise
from segguided.models.importing import read_unet
from segguided.models.stated_scheduler import CUTTING, SOLVERS, check_stated
from support.foreign_unet import foreign, imported
from support.sd_layout import write_pipeline

# Of diffusers with this version of numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")
SD = {"beta_start": 0.00085, "beta_end": 0.012}
SD_LINEAR = {**SD, "beta_schedule": "linear"}
SD_SCALED = {**SD, "beta_schedule": "scaled_linear"}
LINEAR = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
LINEAR_BETAS = torch.linspace(1e-4, 0.02, 1000).tolist()
SCALED = {"schedule": {**SD, "growth": "scaled_linear"}}


def check(tmp_path, stated, **settings):
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps(stated))
    model = imported(tmp_path, **settings)
    check_stated(path, model, "the model's settings", model.clip_sample_range)
    return model


def of(name, **keys):
    """What diffusers itself writes for this scheduler."""
    config = dict(getattr(diffusers, f"{name}Scheduler")(**keys).config)
    config.pop("_use_default_values", None)
    return {"_class_name": f"{name}Scheduler", "_diffusers_version": "0.30.0", **config}


# As the pipeline runwayml/stable-diffusion-v1-5 ships it.
SD15 = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    **SD_SCALED,
    **{"num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1},
    **{"trained_betas": None, "clip_sample": False},
}

EQUAL = [
    ({}, {}),  # nothing but the defaults of the oldest
    (of("DDPM"), {}),
    (of("DDPM", variance_type="fixed_large"), {}),
    (of("DDIM", rescale_betas_zero_snr=False, timestep_spacing="trailing", steps_offset=1), {}),
    (of("DDIM", **SD_SCALED), SCALED),
    (of("DDIM", trained_betas=LINEAR_BETAS), {}),  # the same betas, number by number
    (of("DDPM", trained_betas=LINEAR_BETAS, **SD_SCALED), {}),
    (of("DDPM", prediction_type="v_prediction"), {"prediction_type": "v_prediction"}),
    ({"_class_name": "DDPMScheduler", "predict_epsilon": True}, {}),
    ({"_class_name": "DDPMScheduler", "predict_epsilon": False}, {"prediction_type": "sample"}),
    (of("DDIM", clip_sample=False), {"clip_sample_range": None}),
    (of("DDIM", clip_sample_range=2.5), {"clip_sample_range": 2.5}),
    (of("DDIM", num_train_timesteps=500), {"schedule": {"timesteps": 500}}),
    (SD15, SCALED),
    (of("EulerDiscrete", **SD_LINEAR), {"schedule": SD}),
    (of("DPMSolverMultistep", use_karras_sigmas=True), {}),
    (of("UniPCMultistep", prediction_type="sample"), {"prediction_type": "sample"}),
    (of("HeunDiscrete"), {"schedule": SD}),  # whose own default is Stable Diffusion's range
]


@pytest.mark.parametrize(("stated", "settings"), EQUAL)
def test_an_equal_diffusion_is_accepted(tmp_path, stated, settings):
    check(tmp_path, stated, **settings)


EPSILON_LINEAR = "schedule: {growth: linear, timesteps: 1000, beta_start: 0.0001, beta_end: 0.02}"
OTHER = [
    (of("DDIM", **SD_LINEAR), SCALED, "beta_schedule linear), but the model's settings say ᾱ 0.452 at t = 383; write schedule: {growth: linear, timesteps: 1000, beta_start: 0.00085, beta_end: 0.012} there"),
    (of("DDIM", **SD_SCALED), {}, "write schedule: {growth: scaled_linear, timesteps: 1000, beta_start: 0.00085, beta_end: 0.012} there"),
    ({}, SCALED, f"write {EPSILON_LINEAR} there"),
    (of("DDIM", rescale_betas_zero_snr=True), {}, "(beta_schedule linear, rescale_betas_zero_snr), but the model's settings say ᾱ 0.25"),
    (of("EulerDiscrete", rescale_betas_zero_snr=True), {}, "rescale_betas_zero_snr"),
    (of("DDIM", trained_betas=[1e-3 + 1e-4 * k for k in range(1000)]), {}, "(beta_schedule linear, trained_betas)"),
    (of("DDPM", trained_betas=[0.01] * 1000), {}, "no setting gives that"),
    (of("DDPM", beta_schedule="squaredcos_cap_v2"), {}, "(beta_schedule squaredcos_cap_v2)"),
    (of("DDPM", beta_schedule="sigmoid"), {}, "(beta_schedule sigmoid)"),
    (of("DDIM", num_train_timesteps=500), {}, "states 500 timesteps (beta_schedule linear), but the model's settings say 1000 timesteps; write schedule: {growth: linear, timesteps: 500,"),
    (of("DDPM", beta_end=0.021), {}, "beta_end: 0.021} there"),
    ({"_class_name": "DDPMScheduler", "predict_epsilon": False}, {}, "states prediction_type sample, but the model's settings say epsilon; write prediction_type: sample there"),
    ({"predict_epsilon": False, "prediction_type": "epsilon"}, {}, "predict_epsilon False and prediction_type epsilon, which contradict each other"),
    (of("DDIM", prediction_type="v_prediction"), {}, "write prediction_type: v_prediction there"),
    (of("DPMSolverMultistep", prediction_type="flow_prediction"), {}, "no setting gives that"),
    (of("UniPCMultistep", use_flow_sigmas=True), {}, "states use_flow_sigmas"),
    (of("DDIM", clip_sample=False), {}, "states x0 never cut, but the model's settings say x0 cut to ±1; write clip_sample_range: null there"),
    (of("DDPM", clip_sample_range=3.0), {}, "x0 cut to ±3, but the model's settings say x0 cut to ±1; write clip_sample_range: 3 there"),
    (of("DDIM"), {"clip_sample_range": None}, "write clip_sample_range: 1 there"),
    (of("DDIM", thresholding=True), {}, "states thresholding"),
    (of("DDPM", variance_type="learned_range"), {}, "states variance_type learned_range: the network predicts a variance too"),
    (of("DDIM", prediction_type="sample", clip_sample=False, **SD_LINEAR), {}, "write prediction_type: sample, schedule: {growth: linear, timesteps: 1000, beta_start: 0.00085, beta_end: 0.012}, clip_sample_range: null there"),
    (of("EDMEuler"), {}, "names a EDMEulerScheduler, expected a scheduler of a process given by ᾱ"),
    (of("FlowMatchEulerDiscrete"), {}, "names a FlowMatchEulerDiscreteScheduler"),
    (of("LCM"), {}, "names a LCMScheduler"),
    ({"_class_name": "ScoreSdeVeScheduler"}, {}, "names a ScoreSdeVeScheduler"),
    ({"_class_name": "MyScheduler"}, {}, "names a MyScheduler"),
    ({"_class_name": ["DDIM"]}, {}, "expected a scheduler of a process"),
    ({"beta_schedule": "cosine"}, {}, "describes no scheduler that diffusers can build (cosine is not implemented"),
    ({"num_train_timesteps": "many"}, {}, "describes no scheduler that diffusers can build"),
    ({"trained_betas": "none"}, {}, "describes no scheduler that diffusers can build"),
    ({"beta_start": None}, {}, "describes no scheduler that diffusers can build"),
    ([], {}, "expected a section of keys with values, got list"),
]  # fmt: skip


@pytest.mark.parametrize(("stated", "settings", "message"), OTHER)
def test_another_diffusion_is_named_with_what_to_write(tmp_path, stated, settings, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        check(tmp_path, stated, **settings)
    assert str(caught.value).startswith(str(tmp_path / "scheduler_config.json"))
    assert "\n" not in str(caught.value)


def settings_in(message: str) -> dict[str, Any]:
    """What the message says to write, as a reader would write it."""
    import yaml

    return yaml.safe_load("{" + re.search(r"write (.*) there$", message)[1] + "}")


WRITABLE = [
    (stated, settings)
    for stated, settings, message in OTHER
    if "; write" in message or message.startswith("write")
]


@pytest.mark.parametrize(("stated", "settings"), WRITABLE)
def test_what_it_says_to_write_is_then_accepted(tmp_path, stated, settings):
    with pytest.raises(ValueError, match="write") as caught:
        check(tmp_path, stated, **settings)
    model = check(tmp_path, stated, **{**settings, **settings_in(str(caught.value))})
    theirs = getattr(diffusers, stated.get("_class_name", "DDPMScheduler")).from_config(stated)
    assert torch.allclose(diffusion.noise_schedule(model).alphas_cumprod, theirs.alphas_cumprod, rtol=1e-4)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_accepted_solver_has_this_diffusion(tmp_path, name):
    stated = of(name, **LINEAR)
    check(tmp_path, stated)
    for change in ({"beta_end": 0.018}, {"prediction_type": "v_prediction"}):
        with pytest.raises(ValueError, match="write"):
            check(tmp_path, {**stated, **change})
    if name in CUTTING:
        with pytest.raises(ValueError, match="clip_sample_range: null"):
            check(tmp_path, {**stated, "clip_sample": False})


def test_without_a_file_the_settings_count_and_the_log_says_so(tmp_path, caplog):
    caplog.set_level(logging.INFO, "segguided")
    foreign(tmp_path / "theirs")
    read_unet(imported(tmp_path / "theirs"), 3, 16)
    said = f"scheduler_config.json: not there, so the model's settings alone count: prediction_type: epsilon, {EPSILON_LINEAR}"
    assert said in caplog.text


def test_spacing_and_offset_are_left_to_sampling_and_the_log_says_so(tmp_path, caplog):
    caplog.set_level(logging.INFO, "segguided")
    check(tmp_path, {**SD15, "timestep_spacing": "trailing"}, **SCALED)
    assert (
        "states timestep_spacing trailing, steps_offset 1: for the choice of time steps, the config's `sampling` counts"
        in caplog.text
    )


@pytest.mark.parametrize(
    "place",
    ["scheduler/scheduler_config.json", "unet/scheduler_config.json", "unet/scheduler/scheduler_config.json"],
)
@pytest.mark.parametrize("inside", [True, False])
def test_the_file_is_found_beside_unet_and_in_a_flat_folder(tmp_path, place, inside):
    """`folder` names the whole or the folder unet/ itself."""
    foreign(tmp_path / "theirs")
    path = tmp_path / "theirs" / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(of("DDIM", rescale_betas_zero_snr=True)))
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} states .*rescale_betas_zero_snr"):
        read_unet(imported(tmp_path / ("theirs/unet" if inside else "theirs")), 3, 16)


# --- the cut of x0


def sampling(sampler="ddim"):
    return Sampling(sampler=sampler, steps=5, batch_size=2, precision="fp32")


@pytest.mark.parametrize("limit", [0.5, 1, 4, None])
def test_images_are_generated_with_the_stated_cut(limit):
    """Bit for bit what plain diffusers generates."""
    model = ImportedModel(kind="imported", folder="x", conditioning="none", clip_sample_range=limit)
    ours = clip_as_stated(make_scheduler(model, sampling()), model)
    theirs = DDIMScheduler(clip_sample=limit is not None, clip_sample_range=limit or 1.0)
    theirs.set_timesteps(5)

    def denoiser(x_BCHW, t_B, mask_BHW):
        return x_BCHW.sin()

    x_BCHW = initial_noise(0, ["a", "b"], 8)
    x0_BCHW = sample(denoiser, ours, x_BCHW, x_BCHW, bounded=False)
    for t in theirs.timesteps:
        x_BCHW = theirs.step(denoiser(x_BCHW, t, None), t, x_BCHW).prev_sample
    assert torch.equal(x0_BCHW, x_BCHW)


def test_the_cut_touches_no_other_sampler():
    model = ImportedModel(kind="imported", folder="x", conditioning="none", clip_sample_range=None)
    sampler = clip_as_stated(make_scheduler(model, sampling("dpm-solver++")), model)
    assert "clip_sample" not in sampler.config


# --- Stable Diffusion's UNet, from which the latent model starts


def stage(source, **settings):
    training = Training(steps=1, batch_size=1, learning_rate=1)
    return LatentStage(
        start=Pretrained(kind="pretrained", source=str(source)),
        settings=LatentTraining(training=training, **settings),
    )


@pytest.mark.parametrize(
    ("stated", "settings", "message"),
    [
        (SD15, {}, None),
        (of("DDIM", clip_sample=True, **SD_SCALED), {}, None),  # latents are not cut, whatever it says
        (of("EulerDiscrete", prediction_type="v_prediction", **SD_SCALED), {"prediction_type": "v_prediction"}, None),
        (of("DDPM", **SD_LINEAR), {"schedule": NoiseSchedule(**SD)}, None),
        (of("DDIM", prediction_type="v_prediction", **SD_SCALED), {}, "the model's settings under `latent` say epsilon; write prediction_type: v_prediction there"),
        (of("DDPM", **SD_LINEAR), {}, "beta_start: 0.00085, beta_end: 0.012} there"),
        (of("DDIM", rescale_betas_zero_snr=True, **SD_SCALED), {}, "no setting gives that"),
        (of("FlowMatchEulerDiscrete"), {}, "names a FlowMatchEulerDiscreteScheduler"),
    ],
)  # fmt: skip
def test_a_pretrained_latent_unet_keeps_its_diffusion(tmp_path, stated, settings, message):
    source = write_pipeline(tmp_path / "sd")
    (source / "scheduler").mkdir()
    (source / "scheduler/scheduler_config.json").write_text(json.dumps(stated))
    if message is None:
        check_noise(stage(source, **settings))
        return
    with pytest.raises(ValueError, match=re.escape(message)):
        check_noise(stage(source, **settings))


def test_a_pipeline_without_a_scheduler_is_accepted(tmp_path, caplog):
    caplog.set_level(logging.INFO, "segguided")
    check_noise(stage(write_pipeline(tmp_path / "sd")))
    assert "so the model's settings under `latent` alone count" in caplog.text


def test_our_own_exports_scheduler_is_equal(tmp_path):
    """import_model accepts what export_model writes, with any cut."""
    for limit in (1, None, 2):
        model = imported(tmp_path, clip_sample_range=limit)
        clip_as_stated(ddim_scheduler(model, "leading"), model).save_pretrained(tmp_path / "s")
        check_stated(tmp_path / "s/scheduler_config.json", model, "the model's settings", limit)
    DDPMScheduler().save_pretrained(tmp_path / "s")
    check_stated(tmp_path / "s/scheduler_config.json", imported(tmp_path), "the model's settings", 1)
