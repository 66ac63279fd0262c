"""How fast this project trains and generates here, as ratios to a plain implementation in the same run.

Run by `make benchmark`: prints a table and writes results/benchmark.csv. On a CPU the networks are the
demo's, on a GPU those of config.yaml. All are timed in turn, round after round, so that other work on the
machine meets each of them. The plain implementation is benchmarks/plain.py; beside it stands an efficient
one, the same in bf16 with larger batches, so that nobody is fooled by a slow opponent. Quality is not
measured here.

    benchmark.py [--rounds N] [--output FILE] [--small]    --small: tiny networks, in seconds
"""

import argparse
import csv
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml
from snakemake.utils import update_config

from benchmarks import plain
from segguided.compiling import Compiling
from segguided.computing import computing
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.sampling import Sampling
from segguided.config.workflow import Config, load
from segguided.devices import autocast, device_name, pick_device
from segguided.generation.diffusion import make_sampler
from segguided.models.denoiser import MaskedDenoiser, build_denoiser, build_unet
from segguided.models.losses.perceptual import PerceptualLoss
from segguided.models.plain_encoder import Encoder
from segguided.models.prediction_learner import make_learner
from segguided.models.tissues.division import Division

ROOT = Path(__file__).parents[2]
SAMPLED_STEPS = 2  # of the plain sampling, which are timed and multiplied
FIELDS = ("part", "what", "per_second", "unit", "reference", "times_reference")


@dataclass
class Timed:
    """Something to time: one call handles `count` images (slices, processes)."""

    part: str
    what: str
    call: Callable[[], Any]
    count: float
    unit: str = "images"
    reference: str = ""  # the name of another one of the same part


def settings(small: bool, gpu: bool) -> tuple[Config, int]:
    """The configuration and the side of its images."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    if not gpu:
        demo = yaml.safe_load((ROOT / "workflow/demo.yaml").read_text())
        segmenter = demo["segmenter"]
        update_config(values, demo)
        values["segmenter"] = segmenter
    if small:
        values["models"]["segguided"]["unet"] |= {"channels": [8, 8, 8, 8, 8], "norm_groups": 8}
        values["models"]["segguided-plus"]["decoder"]["channels"] = [8, 8, 8, 8, 8]
        values["models"]["segguided-plus"]["losses"]["energy_score"]["levels"] = 2
    return load(values), 32 if small else 256 if gpu else 128


def trainings(config: Config, side: int, device: torch.device, folder: Path) -> Iterator[Timed]:
    """One training step each; the same batch for the same network."""
    model, plus = config.models["segguided"], config.models["segguided-plus"]
    batch = model.micro_batch_size or model.training.batch_size
    unet = build_unet(model.unet, 2, side).to(device)
    theirs = plain.PlainTraining(unet, plain.write_pngs(folder, 16, side, 3), device)
    yield Timed("training", "plain", lambda: theirs.step(batch), batch)
    for name, given in (("the paper's network", model), ("segguided-plus", plus)):
        count = given.micro_batch_size or given.training.batch_size
        settings = given.model_copy(update={"micro_batch_size": None})
        network, loss = untrained(settings, side).to(device), untrained_loss(settings, device)
        learner = make_learner(network, settings, 10**6, device, loss)
        images = torch.randint(0, 256, (count, side, side), dtype=torch.uint8, device=device)
        masks = torch.randint(0, 4, (count, side, side), dtype=torch.uint8, device=device)
        step = steps_of(learner, images, masks, torch.Generator(device))
        yield Timed("training", name, step, count * learner.cycle, reference="plain")


def untrained(settings: DiffusionModel, side: int) -> MaskedDenoiser:
    """A denoiser with random weights; its tissues divide one class, and what is outside all."""
    cuts = dict.fromkeys((0, 1), (80, 160)) if settings.tissues else {}
    division = Division(3, cuts, settings.tissues.filter_size) if settings.tissues else None
    return build_denoiser(settings, 3, side, division=division)


def untrained_loss(settings: DiffusionModel, device: torch.device) -> PerceptualLoss | None:
    """The perceptual loss of a model, with random weights: they decide no time."""
    if settings.perceptual.kind == "none":
        return None
    assert settings.perceptual.kind == "encoder", "a benchmark downloads no VGG-19"
    return PerceptualLoss(Encoder(settings.perceptual.encoder, 3).to(device))


def steps_of(learner: Any, images: Any, masks: Any, generator: torch.Generator) -> Callable[[], Any]:
    """A step of training, to be called again and again; as many as differ, where a learner takes turns."""
    return lambda: [learner.update(images, masks, generator) for _ in range(learner.cycle)]


def samplings(config: Config, side: int, device: torch.device) -> Iterator[Timed]:
    """A batch of images each, from noise to uint8."""
    model, plus = config.models["segguided"], config.models["segguided-plus"]
    batch = config.sampling.batch_size
    few = 4
    masks_BHW = torch.randint(0, 4, (batch, side, side), dtype=torch.uint8)
    names = [f"mask{index}" for index in range(batch)]
    unet = build_unet(model.unet, 2, side).to(device)
    small, large = masks_BHW[:few].float().to(device), masks_BHW.float().to(device)
    share = SAMPLED_STEPS / plain.STEPS
    yield Timed(
        "sampling",
        "plain: 50 DDIM steps",
        lambda: plain.plain_sample(unet, small, SAMPLED_STEPS),
        few * share,
    )

    def efficient() -> Any:
        with autocast(device, "auto"):
            return plain.plain_sample(unet, large, SAMPLED_STEPS)

    reference = "plain: 50 DDIM steps"
    yield Timed(
        "sampling", "efficient: the same in bf16, large batch", efficient, batch * share, reference=reference
    )
    steps = {"sampler": "dpm-solver++", "steps": 10, "timestep_spacing": "trailing"}
    ten = Sampling.model_validate(config.sampling.model_dump() | steps)
    for name, settings, sampling in (
        ("the paper's network, 10 DPM-Solver++ steps", model, ten),
        ("segguided-plus, one call, and its tissues", plus, config.sampling_of("segguided-plus")),
    ):
        network = untrained(settings, side).to(device).eval()
        sampler = make_sampler(network, settings, sampling, 0)
        yield Timed("sampling", name, sample_of(sampler, masks_BHW, names), batch, reference=reference)


def sample_of(sampler: Any, masks_BHW: torch.Tensor, names: list[str]) -> Callable[[], Any]:
    """A batch of images that can be sampled again and again."""
    return lambda: sampler(masks_BHW, names)


def starts() -> Iterator[Timed]:
    """Processes that only start: what Python and torch cost, and what a script of ours adds."""
    for what, words, reference in (
        ("import torch", ["-c", "import torch"], ""),
        (
            "generate_diffusion.py --help",
            [str(ROOT / "scripts/generate_diffusion.py"), "--help"],
            "import torch",
        ),
        ("snakemake --version", ["-m", "snakemake", "--version"], ""),
    ):
        yield Timed("process start", what, start_of([sys.executable, *words]), 1, "processes", reference)


def start_of(command: list[str]) -> Callable[[], Any]:
    """A process that can be run again and again."""
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def seconds_of(call: Callable[[], Any], device: torch.device) -> float:
    """How long a call takes, until the device is done."""
    began = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def matmul_rate(device: torch.device) -> float:
    """TFLOP/s of a product of two square bf16 matrices."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = torch.randn(2, side, side, dtype=torch.bfloat16, device=device)
    return 2 * side**3 / statistics.median(seconds_of(lambda: a @ b, device) for _ in range(5)) / 1e12


def measured(timed: list[Timed], rounds: int, device: torch.device) -> list[dict[str, Any]]:
    """A row for each, of medians over the rounds; ratios are of the same round."""
    for one in timed:
        seconds_of(one.call, device)
    rates = [
        {(one.part, one.what): one.count / seconds_of(one.call, device) for one in timed}
        for _ in range(rounds)
    ]
    return [
        {
            "part": one.part,
            "what": one.what,
            "per_second": statistics.median(rate[one.part, one.what] for rate in rates),
            "unit": one.unit,
            "reference": one.reference,
            "times_reference": statistics.median(
                rate[one.part, one.what] / rate[one.part, one.reference] for rate in rates
            )
            if one.reference
            else "",
        }
        for one in timed
    ]


def processor() -> str:
    """The CPU's name, as Linux gives it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=ROOT / "results/benchmark.csv")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    device = pick_device()
    config, side = settings(arguments.small, device.type == "cuda")
    with computing(1, deterministic=False, choice=Compiling.AUTO), tempfile.TemporaryDirectory() as folder:
        rate = matmul_rate(device)
        timed = [*trainings(config, side, device, Path(folder)), *samplings(config, side, device), *starts()]
        rows = measured(timed, arguments.rounds, device)
    machine = processor() if device.type == "cpu" else device_name(device)
    print(
        f"\n{machine}, {os.cpu_count()} cores, one thread; Python {platform.python_version()}, torch "
        f"{torch.__version__}, {datetime.now(UTC):%Y-%m-%d}; images of {side}×{side}; "
        f"a bf16 matrix product: {rate:.2f} TFLOP/s\n"
    )
    print("| | | a second | times the reference |\n|---|---|---|---|")
    for row in rows:
        ratio = f"{row['times_reference']:.2f}" if row["reference"] else ""
        print(f"| {row['part']} | {row['what']} | {row['per_second']:.3g} {row['unit']} | {ratio} |")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with arguments.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    print(f"\n{arguments.output}")


if __name__ == "__main__":
    main()
