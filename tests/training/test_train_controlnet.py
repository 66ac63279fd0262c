"""train_controlnet and generate_controlnet: resumed bit for bit; one file of weights suffices to generate."""

import json

import numpy as np
import pytest

from generate_controlnet import generate_controlnet
from segguided.config.models.controlnet import ControlTraining
from segguided.config.sampling import Sampling
from segguided.data.slices import read_generated
from segguided.models.controlnet.latent import LatentLearner
from segguided.training.resume_files import discard_resume_files
from support.latent_stages import Stages, interrupted_then_resumed
from support.sd_layout import write_pipeline


@pytest.fixture(params=["scratch", "pretrained"])
def stages(request, tmp_path):
    source = write_pipeline(tmp_path / "sd") if request.param == "pretrained" else None
    stages = Stages(tmp_path / "run", source)
    stages.train("autoencoder")
    stages.train("latent")
    return stages


def generate(weights, stages, name, batch_size):
    sampling = Sampling(sampler="ddim", steps=3, batch_size=batch_size, precision="fp32")
    output = stages.folder / name
    generate_controlnet(weights, sampling, [[stages.slices]], [output], 0)
    return output


def test_interrupted_then_resumed_gives_the_same_bytes(stages, monkeypatch):
    interrupted_then_resumed(stages, "control", LatentLearner, monkeypatch)


def test_a_mask_ablated_training_resumes_to_the_same_bytes_and_says_how_masks_were_ablated(
    tmp_path, monkeypatch
):
    stages = Stages(tmp_path / "run")
    stages.train("autoencoder")
    stages.train("latent")
    whole = stages.train("control").read_bytes()
    assert "abl" not in stages.control.to_json()
    ablation = {"mask_ablation": "sample", "ablated_share": 0.7, "ablation_probability": {"1": 0.3}}
    stages.control = ControlTraining.from_json(stages.control.model_copy(update=ablation).to_json())
    discard_resume_files(stages.weights("control"))
    interrupted_then_resumed(stages, "control", LatentLearner, monkeypatch)
    assert stages.train("control").read_bytes() != whole
    described = json.loads(stages.weights("control").with_name("config.json").read_text())["control"]
    assert {key: described[key] for key in ablation} == ablation


def test_the_last_weights_alone_generate_and_hold_the_cost_of_all_stages(stages):
    output = stages.train("control")
    description = json.loads(output.with_name("config.json").read_text())
    assert description["kind"] == "controlnet"
    kind = stages.autoencoder_stage.model_dump()["start"].get("kind", "scratch")
    assert description["init"]["kind"] == kind
    flops = {stage: cost["flops"] for stage, cost in description["stages"].items()}
    assert set(flops) == {"autoencoder", "latent", "control"}
    assert description["training"]["flops"] == sum(flops.values())
    assert flops["control"] > flops["latent"] / 2 > 0
    for stage in ("autoencoder", "latent"):
        stages.weights(stage).unlink()
    first = generate(output, stages, "a.npz", 12)
    second = generate(output, stages, "b.npz", 12)
    assert first.read_bytes() == second.read_bytes()
    images_SHW, names = read_generated(first)
    assert images_SHW.shape == (12, 16, 16)
    assert names[-1] == "p_slice_11"
    batched_SHW, _ = read_generated(generate(output, stages, "c.npz", 5))
    assert np.abs(images_SHW.astype(int) - batched_SHW).max() <= 1


def test_latents_of_another_autoencoder_are_refused(stages):
    stages.autoencoder_stage = stages.autoencoder_stage.model_copy(
        update={"settings": stages.autoencoder_stage.settings.model_copy(update={"kl_weight": 1.0})}
    )
    stages.train("autoencoder")
    with pytest.raises(ValueError, match="trained on the latents of another autoencoder"):
        stages.train("control")
