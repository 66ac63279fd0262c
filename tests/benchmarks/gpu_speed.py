"""How fast config.yaml's networks train and generate on this machine's GPU, and whether the bits repeat.

Run by `make bench-gpu`. Each job of gpu_memory.py runs a few steps on random images with random weights:
in bf16 with PyTorch's usual kernels, compiled, compiled in channels_last order, with deterministic kernels,
and in fp32. Each of these ways is
a process of its own, because cuBLAS asks for determinism when it starts. A step of training is two parts
of a batch; a step of generating is one step of sampling, for ControlNet with the decoder. "Same bits"
compares all weights (of a generation: its result) of two runs from the same seed.

    gpu_speed.py [JOB ...] [--small] [--json FILE]  prints the table; --small: tiny networks, for any machine
    gpu_speed.py --way WAY [JOB ...] [--small]      one process: prints a line of JSON for each job
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu_memory
from benchmarks.gpu_memory import Job
from segguided.compiling import Compiling
from segguided.computing import computing
from segguided.config.models.training import Precision
from segguided.config.workflow import Config, load
from segguided.devices import device_name, pick_device

COMPILED = {"bf16, compiled": Compiling.ALWAYS, "bf16, compiled in channels_last": Compiling.CHANNELS_LAST}
WAYS = ("bf16", *COMPILED, "bf16, deterministic", "fp32")
WARM_UP = 2  # steps; kernels are chosen and memory is taken in the first ones
STEPS = 4
HEAD = (
    "| | images at once | images/s | TFLOP/s | GB at the peak (reserved) | same bits "
    "| compiled: times as long | compiled in channels_last | deterministic kernels | fp32 |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)
SMALL_UNET = {"block_out_channels": (32, 32), "layers_per_block": 1, "cross_attention_dim": 8,
              "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "attention_head_dim": 2,
              "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}  # fmt: skip


def make_small() -> None:
    """Let all jobs be so small that a CPU runs them in seconds."""
    gpu_memory.SIDE = 64
    gpu_memory.LATENT = 8
    gpu_memory.UNET = SMALL_UNET
    gpu_memory.VAE = {**gpu_memory.VAE, "block_out_channels": (32,) * 4, "layers_per_block": 1}
    gpu_memory.PROMPT = (1, 2, 8)


def read_config(small: bool) -> Config:
    """config.yaml; `small`: with narrow networks, and batches of two parts."""
    values = yaml.safe_load((gpu_memory.ROOT / "config.yaml").read_text())
    if small:
        models = values["models"]
        narrow = {"channels": [8, 8, 8, 8, 8, 8], "norm_groups": 8, "layers_per_block": 1}
        for name in ("segguided", "segguided-mat", "unconditional"):
            shrink(models[name])
            models[name]["unet"] = {**models[name]["unet"], **narrow}
        shrink(models["segguided-plus"])
        models["segguided-plus"]["decoder"]["channels"] = [8, 8, 8, 8, 8, 8]
        models["segguided-plus"]["losses"]["energy_score"]["levels"] = 3
        for stage in ("autoencoder", "latent", "control"):
            shrink(models["controlnet"][stage])
        models["spade"]["generator"]["channels"] = [8, 8, 8, 8, 8, 8]
        models["spade"]["training"] |= {"batch_size": 4, "micro_batch_size": 2}
        values["sampling"]["batch_size"] = 2
    return load(values)


def shrink(settings: dict[str, Any]) -> None:
    """Give a training batches of four images, two at once."""
    settings["micro_batch_size"] = 2
    settings["training"] = {**settings["training"], "batch_size": 4}


def finish(device: torch.device) -> None:
    """Wait until the device has computed all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget(device: torch.device) -> None:
    """Free what an earlier run kept, and count the peak memory from now on."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def seconds_of(step: Callable[[], Any], device: torch.device) -> float:
    """How long one call takes, until the device is done."""
    finish(device)
    began = time.perf_counter()
    step()
    finish(device)
    return time.perf_counter() - began


def digest(tensors: Iterator[torch.Tensor]) -> int:
    """A number that changes with any bit of the tensors, computed where they are."""
    total = 0
    for position, tensor in enumerate(tensors):
        bits = (
            tensor.detach().contiguous().view(-1).view(torch.uint8 if tensor.itemsize == 1 else torch.int16)
        )
        places = torch.arange(len(bits), device=bits.device) % 65_521 + 1
        total += (position + 1) * int((bits.long() * places).sum())
    return total


def run(build: Callable[[], Job], device: torch.device) -> dict[str, Any]:
    """One run of a job from a fixed seed: its time, operations, memory, and a digest of what it computed."""
    forget(device)
    torch.manual_seed(0)
    job = build()
    count = min(job.batch, 2 * job.at_once) if job.trained else job.at_once
    results = []

    def step() -> None:
        results[:] = [job.step(count)]

    for _ in range(WARM_UP):
        step()
    with FlopCounterMode(display=False) as counter:
        step()
    times = [seconds_of(step, device) for _ in range(STEPS)]
    computed = job.networks.parameters() if job.trained else iter([results[0]])
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    reserved = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0
    return {
        "images": count, "at_once": job.at_once, "seconds": statistics.median(times), "times": times,
        "flops": counter.get_total_flops(), "peak": peak, "reserved": reserved, "digest": digest(computed),
    }  # fmt: skip


def run_twice(build: Callable[[], Job], device: torch.device) -> dict[str, Any]:
    """Two runs of a job; the times are the second's, whose kernels are loaded already."""
    try:
        first = run(build, device)
        second = run(build, device)
    except (RuntimeError, ValueError) as error:
        return {"error": str(error).splitlines()[0]}
    return {**second, "same": first["digest"] == second["digest"]}


def measure(way: str, names: Sequence[str], small: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the measurements of each job, in one way."""
    device = pick_device()
    precision: Precision = "fp32" if way == "fp32" else "bf16"
    threads, choice = 1 if small else 8, COMPILED.get(way, Compiling.NEVER)
    with computing(threads, "deterministic" in way, choice), torch.device(device):
        for build in gpu_memory.jobs(read_config(small), device, precision):
            if build.__name__ in names:
                yield build.__name__, run_twice(build, device)


def in_a_process(way: str, names: Sequence[str], small: bool) -> dict[str, dict[str, Any]]:
    """`measure` in a process of its own, by the job's name; where it fails, the last line that it wrote."""
    command = [sys.executable, __file__, "--way", way, *names, *(["--small"] if small else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    measured = dict(json.loads(line) for line in done.stdout.splitlines())
    return {name: measured.get(name, {"error": "the process ended"}) for name in names}


def row(name: str, by_way: dict[str, dict[str, Any]]) -> str:
    """A row of the table."""
    usual = by_way[WAYS[0]]
    if "error" in usual:
        return f"| `{name}` | {usual['error']} |"
    cells = [
        f"{usual['at_once']}",
        f"{usual['images'] / usual['seconds']:,.1f}",
        f"{usual['flops'] / usual['seconds'] / 1e12:.0f}",
        f"{usual['peak'] / 1e9:.1f} ({usual['reserved'] / 1e9:.1f})",
        "yes" if usual["same"] else "no",
        *(compared(by_way[way], usual) for way in WAYS[1:]),
    ]
    return f"| `{name}` | {' | '.join(cells)} |"


def compared(other: dict[str, Any], usual: dict[str, Any]) -> str:
    """How many times as long another way takes, and whether it repeats."""
    if "error" in other:
        return other["error"]
    ratio = other["seconds"] / usual["seconds"]
    return f"{ratio:.2f}, {'the same bits' if other['same'] else 'other bits'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", help="names; none: all")
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", type=Path, help="also write all that was measured")
    arguments = parser.parse_args()
    small = arguments.small
    if small:
        make_small()
    names = arguments.jobs or [build.__name__ for build in gpu_memory.jobs(read_config(small))]
    if arguments.way:
        for result in measure(arguments.way, names, small):
            print(json.dumps(result), flush=True)
        return
    by_way = {way: in_a_process(way, names, small) for way in WAYS}
    if arguments.json:
        arguments.json.write_text(json.dumps(by_way, indent=1))
    print(f"\n{device_name(pick_device())}, torch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d}\n")
    print(HEAD)
    for name in names:
        print(row(name, {way: by_way[way][name] for way in WAYS}))


if __name__ == "__main__":
    main()
