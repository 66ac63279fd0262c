"""A program in plain PyTorch gives the images that its model gives here."""

import re

import pytest
import torch

from export_program import export_program
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.generation.diffusion import load_denoiser, make_sampler
from segguided.generation.samplers.renoising import fresh_noise, input_noise
from segguided.generation.sampling import initial_noise, noise_of
from segguided.models.denoiser import build_denoiser
from segguided.models.tissues.division import Division
from segguided.training.storage import save_network
from support.tissues import tiny_tissues

SIZE = 16
SEED = 3
NAMES = ["a_slice_0", "a_slice_1", "b_slice_7"]
UNET = {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1, "attention_levels": (1,), "patch": 2}
DECODER = {"channels": (8, 16), "modulation_channels": 8}


def trained(folder, prediction_type="sample", **values):
    """The run folder of a model with random weights."""
    model = DiffusionModel(
        kind="diffusion",
        prediction_type=prediction_type,
        training=Training(steps=1, batch_size=1, learning_rate=1),
        **{"conditioning": "onehot", **values},
    )
    torch.manual_seed(0)
    description = {"kind": "diffusion", "model": model.model_dump(), "n_classes": 3, "image_size": SIZE}
    division = Division(3, {0: (40, 200), 1: (150,)}, 3) if model.tissues else None
    if division:
        description["tissues"] = division.to_entry()
    save_network(build_denoiser(model, 3, SIZE, division=division), folder / "model.safetensors", description)
    return folder / "model.safetensors"


def sampled_by(sampler, steps):
    return Sampling(sampler=sampler, steps=steps, batch_size=4, precision="fp32")


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ({"decoder": DECODER}, 1),
        ({"decoder": DECODER, "losses": {"energy_score": {"levels": 2}}}, 1),
        ({"decoder": DECODER, "losses": {"energy_score": {"levels": 2}}}, 3),
        ({"decoder": DECODER, "losses": {"energy_score": {"levels": 2}}, "tissues": tiny_tissues()}, 2),
        ({"decoder": DECODER, "schedule": {"growth": "scaled_linear"}}, 3),
        ({"unet": UNET, "conditioning": "onehot_free", "mask_ablation": "sample"}, 2),
        ({"unet": UNET, "conditioning": "index255"}, 2),
    ],
)
def test_the_lines_on_the_page_give_the_same_images(tmp_path, monkeypatch, values, steps):
    weights = trained(tmp_path / "run", **values)
    sampling = sampled_by("renoise", steps)
    page = tmp_path / "export" / "README.md"
    export_program(weights, sampling, tmp_path / "export" / "program.pt2", page)
    masks_BHW = torch.randint(0, 4, (3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)).byte()
    network, model = load_denoiser(weights, torch.device("cpu"))
    expected = make_sampler(network, model, sampling, SEED)(masks_BHW, NAMES)

    later = iter(fresh_noise(SEED, NAMES, number, SIZE) for number in range(1, steps))
    noises = [initial_noise(SEED, NAMES, SIZE)]
    noises += [input_noise(SEED, NAMES, number, (1, SIZE, SIZE)) for number in range(1, steps)]
    if network.tissues:
        drawn = [
            noise_of(SEED, NAMES, shape, f"tissues/{number}").flatten(1)
            for number, shape in enumerate(network.tissues.noise_shapes)
        ]
        noises = [torch.cat(drawn, 1), *noises]
    first = iter(noises)
    monkeypatch.setattr(torch, "randn", lambda *_shape: next(first))
    monkeypatch.setattr(torch, "randn_like", lambda _x: next(later))
    scope = {"folder": page.parent, "mask": masks_BHW}
    exec(re.search(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[1], scope)
    difference = (scope["images"][:, 0].int() - expected.int()).abs()
    assert difference.max() <= 1  # a grey level, where sums in another order round otherwise
    assert expected.float().std() > 5


def test_a_model_of_many_steps_is_refused(tmp_path):
    weights = trained(tmp_path / "run", "epsilon", unet=UNET)
    with pytest.raises(ValueError, match=r"sampled by ddim; a program is .* use export_model"):
        export_program(weights, sampled_by("ddim", 5), tmp_path / "program.pt2", tmp_path / "README.md")
