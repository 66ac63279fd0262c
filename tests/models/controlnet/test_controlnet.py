"""Latents stored once, what each stage trains, resume bit for bit, and that the mask decides the image."""

import numpy as np
import pytest
import torch

from segguided.config.models.controlnet import (
    AutoencoderSize,
    AutoencoderTraining,
    ControlTraining,
    LatentTraining,
    LatentUnetSize,
)
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet, Stack
from segguided.generation.controlnet import make_sampler
from segguided.models.controlnet.autoencoder import (
    AutoencoderLearner,
    encode,
    sample_posterior,
    start_autoencoder,
)
from segguided.models.controlnet.control import ControlLearner, LatentPipeline, add_control
from segguided.models.controlnet.latent import (
    LatentDenoiser,
    LatentLearner,
    build_latent_unet,
    latent_batches,
    start_denoiser,
)
from segguided.models.mask_ablation import ablate_classes
from segguided.models.signals import to_signal
from segguided.training.checkpoint import Checkpoint
from segguided.training.loop import Batches, Plan, train
from segguided.training.optimisation import Descent

CPU = torch.device("cpu")
VAE = AutoencoderSize(channels=(8, 8), latent_channels=2, layers_per_block=1, norm_groups=4, attention=False)
UNET = LatentUnetSize(channels=(16, 16), layers_per_block=1, norm_groups=4)
ATTENDING = LatentUnetSize(
    channels=(8, 16), attention_levels=(1,), attention_heads=2, layers_per_block=1, norm_groups=4
)


def training(steps=9, **changes):
    return Training(
        **{
            "steps": steps,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "ema_decay": 0.9,
            "precision": "fp32",
            **changes,
        }
    )


def control_settings(steps=9, *, sd_locked=False, hint_channels=(4, 8), **changes):
    return ControlTraining(
        conditioning="onehot",
        hint_channels=hint_channels,
        sd_locked=sd_locked,
        micro_batch_size=MICRO_BATCH,
        training=training(steps, **changes),
    )


MICRO_BATCH = 3  # a batch of four in two unequal parts
FAST = {"learning_rate": 1e-2, "warmup_steps": 5}


def latent_settings(steps=9, **changes):
    return LatentTraining(
        prediction_type="sample", micro_batch_size=MICRO_BATCH, training=training(steps, **changes)
    )


DIFFUSION = latent_settings()


def slices(n=12):
    rng = np.random.default_rng(0)
    masks_SHW = rng.integers(0, 3, (n, 16, 16)).astype(np.uint8)
    return SliceSet(
        [Stack("p", masks_SHW * 90 + 20, masks_SHW, np.arange(float(n)), {"classes": ["a", "b"]})]
    )


def networks(unet=UNET, sd_locked=False):
    torch.manual_seed(0)
    vae = start_autoencoder(VAE)
    denoiser = start_denoiser(unet, 2)
    return vae, denoiser, add_control(denoiser, vae, control_settings(sd_locked=sd_locked), 2)


@pytest.mark.parametrize("unet", [UNET, ATTENDING])
@pytest.mark.parametrize("size", [8, 16])
def test_a_fresh_controlnet_changes_nothing(unet, size):
    """Its last convolutions are zero, so training starts from the unconditional model."""
    _, denoiser, controlled = networks(unet)
    x_BCHW = torch.randn(2, 2, size, size)
    t_B = torch.tensor([3, 800])
    mask_BHW = torch.randint(0, 3, (2, 2 * size, 2 * size), dtype=torch.uint8)
    with torch.no_grad():
        steered = controlled(x_BCHW, t_B, mask_BHW)
        free = denoiser(x_BCHW, t_B, mask_BHW)
    assert steered.shape == x_BCHW.shape
    assert torch.allclose(steered, free, atol=1e-6)


def test_a_hint_of_another_size_than_the_latent_is_refused():
    vae, denoiser, _ = networks()
    with pytest.raises(
        ValueError, match=r"shrinks images 2-fold, but .* shrinks masks 4-fold; give it 2 levels"
    ):
        add_control(denoiser, vae, control_settings(hint_channels=(4, 4, 8)), 2)


@pytest.mark.parametrize("sd_locked", [True, False])
def test_stage_3_trains_the_controlnet_and_unless_locked_the_decoder(tmp_path, sd_locked):
    vae, _, controlled = networks(sd_locked=sd_locked)
    before = {name: value.clone() for name, value in controlled.state_dict().items()}
    learner = LatentLearner(
        controlled, controlled.part_to_train(sd_locked), DIFFUSION, control_settings(), 1.0, 9, CPU
    )
    with latent_batches(vae, slices(), tmp_path / "latents.npy", CPU) as batches:
        for _ in train(learner, batches, Plan(12, 4, 9), 0, Checkpoint(tmp_path / "a.pt", "x", 1e9)):
            pass
    changed = {
        name
        for name, value in learner.finished_network().state_dict().items()
        if not torch.equal(value, before[name])
    }
    prefixes = {
        ".".join(name.split(".")[:3]) if name.startswith("denoiser") else "control" for name in changed
    }
    decoder = {f"denoiser.unet.{name}" for name in ("up_blocks", "conv_norm_out", "conv_out")}
    assert prefixes == {"control"} | (set() if sd_locked else decoder)


def test_latents_are_stored_once_on_disk_and_the_file_goes(tmp_path):
    vae = start_autoencoder(VAE)
    data = slices()
    path = tmp_path / "run/latents.npy"
    with latent_batches(vae, data, path, CPU) as batches:
        assert isinstance(batches.moments_S2CHW, np.memmap)
        moments_B2CHW, masks_BHW = batches(np.array([7, 2]))
        with torch.no_grad():
            direct = encode(vae, to_signal(torch.from_numpy(data.images[[7, 2]])))
        assert torch.allclose(moments_B2CHW, direct, atol=1e-5)
        assert np.array_equal(masks_BHW.numpy(), data.masks[[7, 2]])
        every_B2CHW, _ = batches(np.arange(12).repeat(200))
        noise = torch.randn(every_B2CHW.chunk(2, 1)[0].shape, generator=torch.Generator().manual_seed(0))
        latents = sample_posterior(every_B2CHW, noise)
        assert abs(float((latents * batches.scaling_factor()).std()) - 1) < 0.01
    assert not path.exists()
    with pytest.raises(RuntimeError), latent_batches(vae, data, path, CPU):
        raise RuntimeError
    assert not path.exists()


@pytest.mark.parametrize("micro_batch_size", [1, 3, 4, None])
def test_the_gradient_of_parts_is_that_of_the_batch(micro_batch_size):
    def fitted(size):
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 1)
        x_BD = torch.randn(4, 3)
        descent = Descent.with_adamw(network, training(learning_rate=0.1), 9)
        losses = descent.descend(lambda x: {"loss": network(x).square().mean()}, [x_BD], size)
        return network.weight, losses["loss"]

    for in_parts, whole in zip(fitted(micro_batch_size), fitted(None), strict=True):
        assert torch.allclose(in_parts, whole, atol=1e-6)


def test_the_size_of_parts_changes_no_draw():
    """The noise is chosen for the whole batch: the size of its parts is a matter of memory alone."""
    moments_B2CHW = torch.randn(4, 4, 8, 8)
    masks_BHW = torch.zeros(4, 16, 16, dtype=torch.uint8)

    def loss_of(micro_batch_size):
        _, denoiser, _ = networks()
        chosen = latent_settings().model_copy(update={"micro_batch_size": micro_batch_size})
        learner = LatentLearner(denoiser, denoiser.unet, DIFFUSION, chosen, 0.7, 9, CPU)
        return learner.update(moments_B2CHW, masks_BHW, torch.Generator().manual_seed(0))["loss"]

    assert torch.allclose(loss_of(None), loss_of(1), rtol=1e-5)


@pytest.mark.parametrize("mask_ablation", ["none", "sample"])
@pytest.mark.parametrize("micro_batch_size", [None, 3])
def test_the_controlnet_sees_ablated_masks_whatever_the_size_of_parts(mask_ablation, micro_batch_size):
    vae, _, controlled = networks()
    changes = {"mask_ablation": mask_ablation, "micro_batch_size": micro_batch_size}
    chosen = control_settings().model_copy(update=changes)
    learner = ControlLearner(LatentPipeline(vae, controlled, 0.7), DIFFUSION, chosen, 9, CPU)
    seen = []
    controlled.encoder.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    masks_BHW = torch.arange(3, dtype=torch.uint8).repeat(86)[:256].view(1, 16, 16).repeat(4, 1, 1)
    n_classes = controlled.encoder.n_classes
    generator = torch.Generator().manual_seed(1)
    expected_BHW, _ = ablate_classes(masks_BHW, n_classes, mask_ablation, generator)
    learner.update(torch.randn(4, 4, 8, 8), masks_BHW, torch.Generator().manual_seed(1))
    assert torch.equal(torch.cat(seen), expected_BHW)
    assert torch.equal(expected_BHW, masks_BHW) == (mask_ablation == "none")


def latent_learner(steps):
    _, denoiser, _ = networks()
    return LatentLearner(denoiser, denoiser.unet, DIFFUSION, latent_settings(steps), 0.7, steps, CPU)


def control_learner(steps):
    _, _, controlled = networks()
    return LatentLearner(
        controlled, controlled.part_to_train(False), DIFFUSION, control_settings(steps), 0.7, steps, CPU
    )


def run(make, folder, checkpoint, stop_after=None):
    learner = make(9)
    with latent_batches(networks()[0], slices(), folder / "latents.npy", CPU) as batches:
        for progress in train(learner, batches, Plan(12, 4, 9), 5, checkpoint):
            if progress.step == stop_after:
                return None
    return learner.finished_network().state_dict(), progress.history


@pytest.mark.parametrize("make", [latent_learner, control_learner])
def test_resumed_equals_uninterrupted(tmp_path, make):
    whole, history = run(make, tmp_path, Checkpoint(tmp_path / "a.pt", "same", 0))
    assert run(make, tmp_path, Checkpoint(tmp_path / "b.pt", "same", 0), stop_after=5) is None
    resumed, resumed_history = run(make, tmp_path, Checkpoint(tmp_path / "b.pt", "same", 1e9))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert history == resumed_history
    assert any(not torch.equal(value, whole[name]) for name, value in make(9).denoiser.state_dict().items())


def test_overfits_a_few_images_and_follows_the_mask(tmp_path):
    """Two masks, two grey levels: after the three stages, the mask alone decides which image comes out."""
    masks_BHW = np.zeros((4, 16, 16), np.uint8)
    masks_BHW[0::2, :, 8:] = 1
    masks_BHW[1::2, 8:, :] = 1
    data = SliceSet([Stack("p", masks_BHW * 200 + 20, masks_BHW, np.arange(4.0), {"classes": ["a"]})])

    def learn(learner, batches, steps):
        checkpoint = Checkpoint(tmp_path / f"{steps}.pt", "x", 1e9)
        for _ in train(learner, batches, Plan(4, 4, steps), 0, checkpoint):
            pass
        return learner.finished_network()

    torch.manual_seed(0)
    vae = start_autoencoder(VAE)
    settings = AutoencoderTraining(kl_weight=1e-6, training=training(120, **FAST))
    learn(AutoencoderLearner(vae, settings, 120, CPU), Batches(data, CPU), 120)
    denoiser = start_denoiser(UNET, 2)
    with latent_batches(vae.eval(), data, tmp_path / "latents.npy", CPU) as batches:
        scale = batches.scaling_factor()
        settings = latent_settings(121, **FAST)
        learn(LatentLearner(denoiser, denoiser.unet, DIFFUSION, settings, scale, 121, CPU), batches, 121)
        controlled = add_control(denoiser, vae, control_settings(), 1)
        trained = controlled.part_to_train(False)
        settings = control_settings(122, **FAST)
        learner = LatentLearner(controlled, trained, DIFFUSION, settings, scale, 122, CPU)
        learn(learner, batches, 122)
    sampling = Sampling(sampler="ddim", steps=8, timestep_spacing="trailing", batch_size=2, precision="fp32")
    sampler = make_sampler(LatentPipeline(vae, controlled, scale).eval(), DIFFUSION, sampling, 0)
    wanted_BHW = torch.from_numpy(masks_BHW[:2])
    images = sampler(wanted_BHW, ["a", "b"]).float()
    swapped = sampler(wanted_BHW.flip(0), ["a", "b"]).float()
    real_BHW = torch.from_numpy(data.images[:2]).float()
    assert (images - real_BHW).abs().mean() < 25
    assert (swapped - real_BHW.flip(0)).abs().mean() < 25
    assert (images - swapped).abs().mean() > 50


def test_scratch_at_stable_diffusions_size_is_its_architecture():
    """Published sizes: 83.7, 859.5 and 361.3 million parameters, there with a prompt 768 wide, here 8."""
    heads = LatentUnetSize(channels=(320, 640, 1280, 1280), attention_levels=(0, 1, 2), attention_heads=8)
    with torch.device("meta"):
        vae = start_autoencoder(AutoencoderSize(channels=(128, 256, 512, 512)))
        unet = build_latent_unet(heads, 4)
        control = add_control(
            LatentDenoiser(unet, torch.zeros(1, 1, 8)),
            vae,
            control_settings(hint_channels=(16, 32, 96, 256)),
            2,
        ).control
    narrower = 2 * (768 - 8)  # keys and values of each cross-attention, a channel
    sizes = [sum(p.numel() for p in network.parameters()) for network in (vae, unet, control)]
    assert sizes == [
        83_653_863,
        859_520_964 - narrower * (5 * 320 + 5 * 640 + 6 * 1280),
        361_279_120 - narrower * (2 * 320 + 2 * 640 + 3 * 1280),
    ]
