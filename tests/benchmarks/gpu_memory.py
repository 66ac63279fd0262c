"""The GPU memory that training and generation need with config.yaml as shipped, counted without a GPU.

Run by `make bench`. The learners run steps on tensors without contents, under the casts of CUDA's bf16
autocast; the bytes of all tensors alive at once are added up. cuDNN and the allocator take more, which is not
counted.
"""

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from segguided.compiling import compile_network
from segguided.config.models.training import Precision
from segguided.config.workflow import Config, load
from segguided.devices import autocast
from segguided.models import denoiser, plain_encoder, prediction_learner, segmenter, spade, spade_learner
from segguided.models.controlnet import autoencoder, latent
from segguided.models.controlnet import control as controlnet
from segguided.models.losses import perceptual

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
GB = 1e9
CLASSES = 5
SIDE = 256
LATENT = 32
STEPS = 1000  # of the whole training, of which two are run
# Stable Diffusion 1.5, from the config.json of its unet/ and vae/.
UNET = {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64}
VAE = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
}
PROMPT = (1, 77, 768)


@dataclass
class Job:
    """A step of training, or the generation of a batch."""

    networks: nn.Module
    trained: nn.Module | None  # the part whose weights are trained
    batch: int  # images
    at_once: int  # images on the device at once
    step: Callable[[int], Any]  # one step with so many images


class Alive(TorchDispatchMode):
    """Counts the bytes of all tensors made under it until they are freed; `peak` is the most at once."""

    def __init__(self, known: Iterator[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen = WeakIdKeyDictionary({tensor.untyped_storage(): True for tensor in known})

    def __torch_dispatch__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for storage in [leaf.untyped_storage() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]:
            if storage not in self.seen:
                self.seen[storage] = True
                self.now += storage.nbytes()
                weakref.finalize(storage, self._freed, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return result

    def _freed(self, size: int) -> None:
        self.now -= size


def cuda_casts(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function` in fp32, as CUDA's autocast computes it; the CPU's would take bf16."""

    def cast(x: Tensor, *arguments: Any, **named: Any) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return function(x.float(), *arguments, **named)

    return cast


@contextmanager
def without_contents() -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        for name in ("group_norm", "layer_norm"):
            function = cuda_casts(getattr(functional, name))
            stack.enter_context(mock.patch.object(functional, name, function))
        # Tensors without contents cannot be moved; they are on the CPU already.
        stack.enter_context(mock.patch.object(nn.Module, "to", lambda network, _device: network))
        yield


def pixels(count: int) -> tuple[Tensor, Tensor]:
    images = torch.randint(0, 256, (count, SIDE, SIDE), dtype=torch.uint8)
    return images, torch.randint(0, CLASSES + 1, (count, SIDE, SIDE), dtype=torch.uint8)


def latents(count: int) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 8, LATENT, LATENT), pixels(count)[1]


def training_job(
    networks: nn.Module,
    trained: nn.Module,
    learner: Any,
    inputs: Callable[[int], tuple[Tensor, Tensor]],
    batch: int,
    at_once: int | None,
) -> Job:
    generator = torch.Generator(learner.device)

    def step(count: int) -> None:
        x_B, masks_BHW = inputs(count)
        learner.update(x_B, masks_BHW, generator)

    return Job(networks, trained, batch, at_once or batch, step)


def generation_job(networks: nn.Module, batch: int, step: Callable[[int], Any]) -> Job:
    return Job(networks, None, batch, batch, step)


def denoise(network: nn.Module, device: torch.device, count: int, channels: int, side: int) -> Tensor:
    """The prediction of one step of sampling."""
    x_BCHW = torch.randn(count, channels, side, side)
    t_B = torch.zeros(count, dtype=torch.long)
    with torch.inference_mode(), autocast(device, "bf16"):
        return network(x_BCHW, t_B, pixels(count)[1])


def stable_diffusion() -> latent.LatentDenoiser:
    return latent.LatentDenoiser(UNet2DConditionModel(**UNET), torch.zeros(PROMPT))


def controlled(config: Config) -> controlnet.LatentPipeline:
    vae = AutoencoderKL(**VAE)
    network = controlnet.add_control(stable_diffusion(), vae, config.models["controlnet"].control, CLASSES)
    return controlnet.LatentPipeline(vae, network, 1.0)


def computing_in(precision: Precision, settings: Any) -> Any:
    """The settings of a training, in another precision."""
    training = settings.training.model_copy(update={"precision": precision})
    return settings.model_copy(update={"training": training})


def plus_jobs(config: Config, device: torch.device, precision: Precision) -> Iterator[Callable[[], Job]]:
    """Those of `segguided-plus`, without its mask completer."""

    def train_plus() -> Job:
        model = computing_in(precision, config.models["segguided-plus"])
        network = denoiser.build_denoiser(model, CLASSES, SIDE)
        learner = prediction_learner.PredictionLearner(network, model, STEPS, device)
        return training_job(
            network, network, learner, pixels, model.training.batch_size, model.micro_batch_size
        )

    def generate_plus() -> Job:
        network = denoiser.build_denoiser(config.models["segguided-plus"], CLASSES, SIDE)
        compile_network(network, STEPS)
        channels = 1 + config.models["segguided-plus"].noise_inputs
        return generation_job(
            network, config.sampling.batch_size, lambda count: denoise(network, device, count, channels, SIDE)
        )

    yield train_plus
    yield generate_plus


def jobs(
    config: Config, device: torch.device = CPU, precision: Precision = "bf16"
) -> Iterator[Callable[[], Job]]:
    """Functions that each build the networks of one job when called, and keep none of them.

    `device` must be torch's default one, because networks and tensors are made there.
    """
    models = config.models

    def in_precision(settings: Any) -> Any:
        return computing_in(precision, settings)

    def train_diffusion() -> Job:
        model = in_precision(models["segguided"])
        network = denoiser.MaskedDenoiser(model, CLASSES, SIDE)
        learner = denoiser.DiffusionLearner(network, model, STEPS, device)
        return training_job(
            network, network, learner, pixels, model.training.batch_size, model.micro_batch_size
        )

    def generate_diffusion() -> Job:
        network = denoiser.MaskedDenoiser(models["segguided"], CLASSES, SIDE)
        compile_network(network, STEPS)
        return generation_job(
            network, config.sampling.batch_size, lambda count: denoise(network, device, count, 1, SIDE)
        )

    def train_autoencoder() -> Job:
        settings = in_precision(models["controlnet"].autoencoder)
        network = AutoencoderKL(**VAE)
        learner = autoencoder.AutoencoderLearner(network, settings, STEPS, device)
        return training_job(
            network, network, learner, pixels, settings.training.batch_size, settings.micro_batch_size
        )

    def train_latent_diffusion() -> Job:
        settings = in_precision(models["controlnet"].latent)
        network = stable_diffusion()
        learner = latent.LatentLearner(network, network.unet, settings, settings, 1.0, STEPS, device)
        return training_job(
            network, network.unet, learner, latents, settings.training.batch_size, settings.micro_batch_size
        )

    def train_controlnet() -> Job:
        settings = in_precision(models["controlnet"].control)
        pipeline = controlled(config)
        learner = controlnet.ControlLearner(pipeline, models["controlnet"].latent, settings, STEPS, device)
        trained = pipeline.denoiser.part_to_train(settings.sd_locked)
        return training_job(
            pipeline, trained, learner, latents, settings.training.batch_size, settings.micro_batch_size
        )

    def generate_controlnet() -> Job:
        pipeline = controlled(config)

        def step(count: int) -> Tensor:
            denoise(pipeline.denoiser, device, count, 4, LATENT)
            with torch.no_grad():
                return autoencoder.decode(pipeline.autoencoder, latents(count)[0][:, :4])

        return generation_job(pipeline, config.sampling.batch_size, step)

    def train_spade() -> Job:
        model = in_precision(models["spade"])
        training = model.training
        network = spade.Generator(model.generator, CLASSES, SIDE)
        loss = perceptual.PerceptualLoss(plain_encoder.Encoder(model.perceptual.encoder, CLASSES))
        learner = spade_learner.SpadeLearner(network, model, loss, STEPS, device)
        both = nn.ModuleList([network, learner.discriminator])
        return training_job(both, both, learner, pixels, training.batch_size, training.micro_batch_size)

    def train_segmenter() -> Job:
        settings = in_precision(config.segmenter)
        network = segmenter.build_segmenter(settings, CLASSES)
        learner = segmenter.SegmenterLearner(network, settings, STEPS, None, device)
        return training_job(network, network, learner, pixels, settings.training.batch_size, None)

    yield train_diffusion
    yield generate_diffusion
    yield from plus_jobs(config, device, precision)
    yield train_autoencoder
    yield train_latent_diffusion
    yield train_controlnet
    yield generate_controlnet
    yield train_spade
    yield train_segmenter


def measure(build: Callable[[], Job]) -> str:
    """A row of the table."""
    # The segmenter's loss looks at the contents of the masks.
    needs_contents = build.__name__ == "train_segmenter"
    with nullcontext() if needs_contents else without_contents():
        job = build()
        tensors = [*job.networks.parameters(), *job.networks.buffers()]
        weights = sum(tensor.numel() for tensor in tensors)
        trained = sum(p.numel() for p in job.trained.parameters()) if job.trained else 0
        with Alive(iter(tensors)) as alive:
            for _ in range(2):  # the optimiser's own numbers exist only after the first step
                job.step(min(job.batch, 2 * job.at_once))  # two parts: the second finds gradients
    together = alive.peak + 4 * (weights + trained)  # the averages were made before
    kept = 4 * (weights + 4 * trained)  # gradient, Adam's two, average
    row = (f"`{build.__name__}`", f"{weights / 1e6:,.1f}", f"{trained / 1e6:,.1f}", str(job.at_once))
    sizes = ((together - kept) / job.at_once, kept, together, 16 * trained)
    return f"| {' | '.join(row)} | {' | '.join(f'{size / GB:.2f}' for size in sizes)} |"


def main() -> None:
    config = load(yaml.safe_load((ROOT / "config.yaml").read_text()))
    print(
        "| | weights, M | trained, M | images at once | GB an image | GB kept | GB together | GB resume.pt |"
    )
    for build in jobs(config):
        if not sys.argv[1:] or build.__name__ in sys.argv[1:]:
            print(measure(build), flush=True)


if __name__ == "__main__":
    main()
