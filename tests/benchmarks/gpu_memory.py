"""What trainings and drawings of config.yaml as shipped need on a GPU, counted without one.

Run by `make bench`. The learners themselves run steps on tensors without contents, whose bytes alive at once
are added up, under the casts of CUDA's bf16 autocast. Not counted: what cuDNN and the allocator take beside.
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

from segguided.config.workflow import Config, load
from segguided.devices import autocast
from segguided.models import denoiser, perceptual, segmenter, spade, spade_learner
from segguided.models.controlnet import autoencoder, latent
from segguided.models.controlnet import control as controlnet

ROOT, CPU = Path(__file__).parents[2], torch.device("cpu")
GB = 1e9
CLASSES, SIDE, LATENT = 5, 256, 32
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
    """A step of training, or a batch to draw: the networks, which of their weights learn, and what to run."""

    networks: nn.Module
    trained: nn.Module | None
    batch: int
    images: int  # of it, on the device at once
    step: Callable[[int], Any]  # with so many images


class Alive(TorchDispatchMode):
    """Counts the bytes of all tensors made under it, until they are let go of; `peak` is the most at once."""

    def __init__(self, known: Iterator[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen = WeakIdKeyDictionary({tensor.untyped_storage(): True for tensor in known})

    def __torch_dispatch__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for storage in [leaf.untyped_storage() for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]:
            if storage not in self.seen:
                self.seen[storage] = True
                self.now += storage.nbytes()
                weakref.finalize(storage, self._let_go, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return made

    def _let_go(self, size: int) -> None:
        self.now -= size


def cuda_casts(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """In fp32, as CUDA's autocast computes it; the CPU's takes bf16."""

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
        # Already there; and such tensors cannot be moved.
        stack.enter_context(mock.patch.object(nn.Module, "to", lambda network, _device: network))
        yield


def pixels(count: int) -> tuple[Tensor, Tensor]:
    images, masks = torch.zeros(2, count, SIDE, SIDE, dtype=torch.uint8)
    return images, masks


def latents(count: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(count, 8, LATENT, LATENT), pixels(count)[1]


def parts_of(settings: Any) -> tuple[int, int]:
    return settings.training.batch_size, settings.micro_batch_size or settings.training.batch_size


def draw(network: nn.Module, count: int, channels: int, side: int) -> None:
    x_BCHW, t_B = torch.zeros(count, channels, side, side), torch.zeros(count, dtype=torch.long)
    with torch.no_grad(), autocast(CPU, "bf16"):
        network(x_BCHW, t_B, pixels(count)[1])


def stable_diffusion() -> latent.LatentDenoiser:
    return latent.LatentDenoiser(UNet2DConditionModel(**UNET), torch.zeros(PROMPT))


def controlled(config: Config) -> controlnet.LatentPipeline:
    vae = AutoencoderKL(**VAE)
    network = controlnet.add_control(stable_diffusion(), vae, config.models["controlnet"].control, CLASSES)
    return controlnet.LatentPipeline(vae, network, 1.0)


def bf16(settings: Any) -> Any:
    training = settings.training.model_copy(update={"precision": "bf16"})
    return settings.model_copy(update={"training": training})


def jobs(config: Config) -> Iterator[Callable[[], Job]]:
    """Each makes its networks when it is called, and lets go of them after."""
    models, generator = config.models, torch.Generator()

    def train_diffusion() -> Job:
        model = bf16(models["segguided"])
        network = denoiser.MaskedDenoiser(model, CLASSES, SIDE)
        learner = denoiser.DiffusionLearner(network, model, 1000, CPU)
        return Job(network, network, *parts_of(model), lambda n: learner.update(*pixels(n), generator))

    def generate_diffusion() -> Job:
        network = denoiser.MaskedDenoiser(models["segguided"], CLASSES, SIDE)
        return Job(network, None, *[config.sampling.batch_size] * 2, lambda n: draw(network, n, 1, SIDE))

    def train_autoencoder() -> Job:
        settings, network = bf16(models["controlnet"].autoencoder), AutoencoderKL(**VAE)
        learner = autoencoder.AutoencoderLearner(network, settings, 1000, CPU)
        return Job(network, network, *parts_of(settings), lambda n: learner.update(*pixels(n), generator))

    def train_latent_diffusion() -> Job:
        settings, network = bf16(models["controlnet"].latent), stable_diffusion()
        learner = latent.LatentLearner(network, network.unet, settings, settings, 1.0, 1000, CPU)
        return Job(
            network, network.unet, *parts_of(settings), lambda n: learner.update(*latents(n), generator)
        )

    def train_controlnet() -> Job:
        settings, pipeline = bf16(models["controlnet"].control), controlled(config)
        network, trained = pipeline.denoiser, pipeline.denoiser.trained(settings.sd_locked)
        process = models["controlnet"].latent
        learner = latent.LatentLearner(network, trained, process, settings, 1.0, 1000, CPU)
        return Job(pipeline, trained, *parts_of(settings), lambda n: learner.update(*latents(n), generator))

    def generate_controlnet() -> Job:
        pipeline = controlled(config)

        def run(count: int) -> None:
            draw(pipeline.denoiser, count, 4, LATENT)
            with torch.no_grad():
                autoencoder.decode(pipeline.autoencoder, latents(count)[0][:, :4])

        return Job(pipeline, None, *[config.sampling.batch_size] * 2, run)

    def train_spade() -> Job:
        model = bf16(models["spade"])
        network = spade.Generator(model.generator, CLASSES, SIDE)
        features = segmenter.build_segmenter(model.perceptual.segmenter, CLASSES)
        loss = perceptual.segmenter_loss(features)
        learner = spade_learner.SpadeLearner(network, model, loss, 1000, CPU)
        both = nn.ModuleList([network, learner.discriminator])
        sizes = model.training.batch_size, model.training.micro_batch_size
        return Job(both, both, *sizes, lambda n: learner.update(*pixels(n), generator))

    def train_segmenter() -> Job:
        settings = bf16(config.segmenter)
        network = segmenter.build_segmenter(settings, CLASSES)
        learner = segmenter.SegmenterLearner(network, settings, 1000, None, CPU)
        batch_size = settings.training.batch_size
        return Job(network, network, *[batch_size] * 2, lambda n: learner.update(*pixels(n), generator))

    yield from (train_diffusion, generate_diffusion, train_autoencoder, train_latent_diffusion)
    yield from (train_controlnet, generate_controlnet, train_spade, train_segmenter)


def measure(make: Callable[[], Job]) -> str:
    with (
        without_contents() if make.__name__ != "train_segmenter" else nullcontext()
    ):  # its loss looks at masks
        job = make()
        tensors = [*job.networks.parameters(), *job.networks.buffers()]
        weights = sum(tensor.numel() for tensor in tensors)
        trained = sum(p.numel() for p in job.trained.parameters()) if job.trained else 0
        with Alive(iter(tensors)) as alive:
            for _ in range(2):  # the optimiser's own numbers exist from the first step's end
                job.step(min(job.batch, 2 * job.images))  # two parts: the second finds gradients
    together = alive.peak + 4 * (weights + trained)  # the averages are made before
    kept = 4 * (weights + 4 * trained)  # gradient, Adam's two, average
    row = (f"`{make.__name__}`", f"{weights / 1e6:,.1f}", f"{trained / 1e6:,.1f}", str(job.images))
    sizes = ((together - kept) / job.images, kept, together, 16 * trained)
    return f"| {' | '.join(row)} | {' | '.join(f'{size / GB:.2f}' for size in sizes)} |"


def main() -> None:
    config = load(yaml.safe_load((ROOT / "config.yaml").read_text()))
    print(
        "| | weights, M | trained, M | images at once | GB an image | GB kept | GB together | GB resume.pt |"
    )
    for make in jobs(config):
        if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
            print(measure(make), flush=True)


if __name__ == "__main__":
    main()
