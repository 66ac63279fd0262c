"""The loop: plans, seeded batches, resume bit for bit (also after SIGKILL at a random step), signals, NaN."""

import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from segguided.cli import Interrupted
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import AdversarialTraining, SpadeDiscriminator, SpadeGenerator, SpadeModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet
from segguided.data.slices import SliceSet, Stack, write_stack
from segguided.devices import pick_device
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.models.spade import Generator
from segguided.models.spade_learner import SpadeLearner
from segguided.training.attempts import read_attempts
from segguided.training.checkpoint import Checkpoint, fingerprint
from segguided.training.loop import Batches, Plan, fit, train
from segguided.training.resume_files import discard_resume_files
from support.miniature import in_foreground

DEVICE = pick_device()  # on a GPU with deterministic kernels: conftest.py
ROOT = Path(__file__).parents[2]


def stack(patient="p", n=12, size=16):
    rng = np.random.default_rng(0)
    masks_SHW = rng.integers(0, 3, (n, size, size)).astype(np.uint8)
    images_SHW = (masks_SHW * 90 + rng.integers(0, 30, masks_SHW.shape)).astype(np.uint8)
    return Stack(patient, images_SHW, masks_SHW, np.arange(float(n)), {"classes": ["a", "b"]})


def slices(n=12):
    return SliceSet([stack(n=n)])


def diffusion_model(steps, ema_decay=0.9, **changes):
    training = Training(steps=steps, batch_size=4, learning_rate=1e-3, warmup_steps=2, ema_decay=ema_decay)
    unet = Unet(channels=(8, 16), norm_groups=4, layers_per_block=1)
    values = {"kind": "diffusion", "conditioning": "onehot", "unet": unet, "training": training, **changes}
    return DiffusionModel(**values)


def diffusion_learner(steps, **changes):
    torch.manual_seed(0)
    model = diffusion_model(steps, **changes)
    return DiffusionLearner(MaskedDenoiser(model, 2, 16).to(DEVICE), model, steps, DEVICE)


@pytest.mark.parametrize(("micro_batch_size", "seen"), [(None, [4]), (4, [4]), (3, [3, 1]), (1, [1] * 4)])
def test_no_more_images_than_a_part_are_on_the_device_at_once(micro_batch_size, seen):
    """One part is the batch itself, bit for bit; smaller parts round differently, in the same single step."""
    learner = diffusion_learner(5, micro_batch_size=micro_batch_size)
    whole = diffusion_learner(5)
    sizes = []
    learner.network.register_forward_hook(lambda _network, inputs, _output: sizes.append(len(inputs[0])))
    images, masks = Batches(slices(4), DEVICE)(np.arange(4))
    for trained in (learner, whole):
        loss = trained.update(images, masks, torch.Generator(DEVICE).manual_seed(1))["loss"]
        assert loss.ndim == 0
        assert torch.isfinite(loss)
    assert sizes == seen
    pairs = list(zip(learner.network.parameters(), whole.network.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs) == (len(seen) == 1)
    assert learner.descent.schedule.last_epoch == 1


def segmenter_learner(steps):
    torch.manual_seed(0)
    training = Training(steps=steps, batch_size=4, learning_rate=1e-2)
    settings = Segmenter(channels=(4, 8), training=training)
    validation = Batches(slices(5), DEVICE)
    return SegmenterLearner(
        build_segmenter(settings, 2).to(DEVICE), settings, steps, validation.in_order, DEVICE
    )


def spade_learner(steps, **changes):
    torch.manual_seed(0)
    rates = {"generator_learning_rate": 1e-3, "discriminator_learning_rate": 4e-3}
    training = AdversarialTraining(steps=steps, batch_size=4, ema_decay=0.9, decay_share=0.5, **rates)
    model = SpadeModel(
        kind="spade",
        generator=SpadeGenerator(channels=(4, 8), modulation_channels=4),
        discriminator=SpadeDiscriminator(channels=4, layers=2),
        perceptual={"kind": "none"},
        training=training,
        **changes,
    )
    return SpadeLearner(Generator(model.generator, 2, 16).to(DEVICE), model, None, steps, DEVICE)


LEARNERS = {
    "diffusion": diffusion_learner,
    "mask-ablated": partial(diffusion_learner, mask_ablation="sample"),
    "unconditional": partial(diffusion_learner, conditioning="none"),
    "moved": partial(diffusion_learner, augmentation={"shift": 0.2, "mirror": True}),
    "segmenter": segmenter_learner,
    "spade": spade_learner,
    "mask-ablated spade": partial(
        spade_learner, mask_ablation="sample", ablated_share=0.7, ablation_probability={"1": 0.3}
    ),
    "moved spade": partial(spade_learner, augmentation={"shift": 0.2}),
}


def run(make, checkpoint, steps=9, stop_after=None):
    """Train; return the finished weights and the history, or None when stopped."""
    learner = make(steps)
    data = slices()
    plan = Plan.from_settings(Training(steps=steps, batch_size=4, learning_rate=1), len(data))
    for progress in train(learner, Batches(data, DEVICE), plan, 5, checkpoint):
        if progress.step == stop_after:
            return None
    return learner.finished_network().state_dict(), progress.history


def identical(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_plan_drops_the_last_partial_batch_and_permutes_each_epoch():
    plan = Plan.from_settings(Training(epochs=3, batch_size=4, learning_rate=1), 11)
    assert (plan.steps, plan.steps_per_epoch) == (6, 2)
    first, second = (np.concatenate([plan.indices(0, 2 * e), plan.indices(0, 2 * e + 1)]) for e in (0, 1))
    assert len(set(first)) == len(set(second)) == 8
    assert list(first) != list(second)
    assert list(plan.indices(0, 3)) == list(plan.indices(0, 3))
    assert list(plan.indices(1, 3)) != list(plan.indices(0, 3))
    assert [plan.ends_epoch(s) for s in range(6)] == [False, True] * 3


def test_a_dataset_smaller_than_a_batch_is_one_batch():
    plan = Plan.from_settings(Training(epochs=2, batch_size=64, learning_rate=1), 5)
    assert (plan.batch_size, plan.steps) == (5, 2)
    assert sorted(plan.indices(0, 1)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("stop_after", [1, 3, 5, 8, 9])
def test_resumed_equals_uninterrupted(tmp_path, kind, stop_after):
    whole, history = run(LEARNERS[kind], Checkpoint(tmp_path / "a.pt", "same", 0))
    assert run(LEARNERS[kind], Checkpoint(tmp_path / "b.pt", "same", 0), stop_after=stop_after) is None
    resumed, resumed_history = run(LEARNERS[kind], Checkpoint(tmp_path / "b.pt", "same", 1e9))
    assert identical(whole, resumed)
    assert history == resumed_history


@pytest.mark.parametrize("kind", LEARNERS)
def test_same_seed_same_weights_and_training_changes_them(tmp_path, kind):
    first, history = run(LEARNERS[kind], Checkpoint(tmp_path / "a.pt", "x", 1e9))
    second, _ = run(LEARNERS[kind], Checkpoint(tmp_path / "b.pt", "x", 1e9))
    assert identical(first, second)
    assert not identical(first, LEARNERS[kind](9).finished_network().state_dict())
    assert [row["step"] for row in history] == [3, 6, 9]


def test_other_fingerprint_starts_afresh_and_says_so(tmp_path, caplog):
    path = tmp_path / "resume.pt"
    run(diffusion_learner, Checkpoint(path, "old", 0), stop_after=4)
    whole, _ = run(diffusion_learner, Checkpoint(tmp_path / "none.pt", "new", 1e9))
    again, _ = run(diffusion_learner, Checkpoint(path, "new", 1e9))
    assert "starting afresh" in caplog.text
    assert identical(whole, again)


def test_a_checkpoint_of_other_settings_is_kept_until_the_run_is_complete(tmp_path, caplog):
    path = tmp_path / "resume.pt"
    aside = tmp_path / "resume-aside.pt"
    run(diffusion_learner, Checkpoint(path, "old", 0), stop_after=4)
    run(diffusion_learner, Checkpoint(path, "new", 0), stop_after=2)
    aside.replace(path)
    caplog.set_level("INFO")
    run(diffusion_learner, Checkpoint(path, "old", 0), stop_after=6)
    assert "resuming after step 4" in caplog.text
    run(diffusion_learner, Checkpoint(path, "third", 0), stop_after=1)
    assert aside.exists()
    discard_resume_files(tmp_path / "model.safetensors")
    assert not aside.exists()
    assert not path.exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_noticed(tmp_path, caplog, share):
    path = tmp_path / "resume.pt"
    run(diffusion_learner, Checkpoint(path, "x", 0), stop_after=4)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    whole, _ = run(diffusion_learner, Checkpoint(tmp_path / "none.pt", "x", 1e9))
    again, _ = run(diffusion_learner, Checkpoint(path, "x", 1e9))
    assert "cannot be continued" in caplog.text
    assert identical(whole, again)


def test_damaged_checkpoint_starts_afresh(tmp_path, caplog):
    path = tmp_path / "resume.pt"
    path.write_bytes(b"not a checkpoint")
    assert run(diffusion_learner, Checkpoint(path, "x", 1e9)) is not None
    assert "cannot be continued" in caplog.text


def test_fingerprint_follows_settings_and_data():
    reference = fingerprint({"a": 1}, {"train": slices()})
    assert reference == fingerprint({"a": 1}, {"train": slices()})
    assert reference != fingerprint({"a": 2}, {"train": slices()})
    assert reference != fingerprint({"a": 1}, {"train": slices(11)})
    changed = slices()
    changed.stacks[0].images_SHW[3, 2, 1] += 1
    assert reference != fingerprint({"a": 1}, {"train": changed}), "one pixel decides"


def test_ema_is_what_is_kept(tmp_path):
    learner = diffusion_learner(9)
    plan = Plan.from_settings(Training(steps=9, batch_size=4, learning_rate=1), 12)
    for _ in train(learner, Batches(slices(), DEVICE), plan, 0, Checkpoint(tmp_path / "a.pt", "x", 1e9)):
        pass
    last = {name: value.clone() for name, value in learner.network.state_dict().items()}
    assert not identical(last, learner.finished_network().state_dict())


class Diverging:
    """A learner whose loss is NaN from the fifth step on."""

    def __init__(self):
        self.steps = 0

    def update(self, images_BHW, masks_BHW, generator):
        self.steps += 1
        return {"loss": torch.tensor(float("nan") if self.steps > 4 else 1.0)}

    def after_epoch(self):
        return {}

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


@pytest.mark.parametrize("seconds", [0, 1e9])
def test_nan_loss_stops_with_the_steps_and_a_remedy(tmp_path, seconds):
    plan = Plan(12, 4, 9)
    with pytest.raises(
        ValueError, match=r"loss is not a number between steps 3 and \d: .*lower learning_rate"
    ):
        list(
            train(
                Diverging(), Batches(slices(), DEVICE), plan, 0, Checkpoint(tmp_path / "a.pt", "x", seconds)
            )
        )
    if seconds == 0:  # the last saved state is from before the divergence
        assert torch.load(tmp_path / "a.pt", weights_only=True)["progress"]["step"] == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_stops_and_the_next_run_continues(tmp_path, number):
    whole, _ = run(diffusion_learner, Checkpoint(tmp_path / "whole.pt", "x", 1e9))
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {n: signal.getsignal(n) for n in numbers}
    checkpoint = Checkpoint(tmp_path / "a.pt", "x", 1e9)
    checkpoint.listen()
    plan = Plan.from_settings(Training(steps=9, batch_size=4, learning_rate=1), 12)
    with pytest.raises(Interrupted, match="saved after step 4"):
        for progress in train(diffusion_learner(9), Batches(slices(), DEVICE), plan, 5, checkpoint):
            if progress.step == 3:
                signal.raise_signal(number)
    for n, handler in before.items():
        signal.signal(n, handler)
    resumed, _ = run(diffusion_learner, Checkpoint(tmp_path / "a.pt", "x", 1e9))
    assert identical(whole, resumed)


def test_history_is_a_table_with_a_row_an_epoch(tmp_path):
    plan = Plan.from_settings(Training(steps=7, batch_size=4, learning_rate=1), 12)
    path = tmp_path / "history.csv"
    cost = fit(
        segmenter_learner(7), Batches(slices(), DEVICE), plan, 0, Checkpoint(tmp_path / "a.pt", "x"), path
    )
    header, *rows = path.read_text().splitlines()
    assert header == "epoch,step,loss,validation_loss"
    assert [row.split(",")[:2] for row in rows] == [["1", "3"], ["2", "6"], ["3", "7"]]
    assert (cost.steps, cost.images) == (7, 28)
    with FlopCounterMode(display=False) as counter:
        images_BHW, masks_BHW = Batches(slices(), DEVICE)(np.arange(4))
        segmenter_learner(7).update(images_BHW, masks_BHW, torch.Generator(DEVICE))
    assert cost.flops == 7 * counter.get_total_flops() > 1e6


def test_a_resumed_run_counts_its_operations_once(tmp_path):
    """Counting changes how attention is computed, so every run counts the same step: the first."""
    plan = Plan(12, 4, 5)
    batches = Batches(slices(), DEVICE)
    progress = next(train(diffusion_learner(5), batches, plan, 0, Checkpoint(tmp_path / "a.pt", "x", 0)))
    *_, resumed = train(diffusion_learner(5), batches, plan, 0, Checkpoint(tmp_path / "a.pt", "x", 1e9))
    assert progress.flops == resumed.flops > 1e6


def command(folder: Path, output: Path, steps=60) -> list[str]:
    return [
        sys.executable, str(ROOT / "scripts/train_diffusion.py"), "--slices", str(folder / "p.npz"),
        "--model", diffusion_model(steps).to_json(), "--n-classes", "2", "--seed", "0",
        "--checkpoint-seconds", "0", "--deterministic", "1", "--output", str(output / "model.safetensors"),
    ]  # fmt: skip


def wait_for_step(output: Path, process: subprocess.Popen, saves: int) -> None:
    """Until the run has replaced its checkpoint `saves` times."""
    seen = set()
    while len(seen) < saves and process.poll() is None:
        path = output / "resume.pt"
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.001)


def test_killed_at_a_random_step_then_resumed_gives_the_same_bytes(tmp_path):
    write_stack(tmp_path / "p.npz", stack())
    subprocess.run(command(tmp_path, tmp_path / "whole"), check=True, capture_output=True)
    killed = tmp_path / "killed"
    process = subprocess.Popen(command(tmp_path, killed), stderr=subprocess.DEVNULL)
    wait_for_step(killed, process, random.randint(1, 30))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "model.safetensors").exists()
    again = subprocess.run(command(tmp_path, killed), check=True, capture_output=True, text=True)
    assert "resuming after step" in again.stderr
    for name in ("model.safetensors", "config.json", "history.csv"):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    first, second = read_attempts(killed / "attempts.json")
    assert (first.state, second.state, second.step, second.steps) == ("killed", "finished", 60, 60)
    assert second.first_step > 0
    assert second.script == "train_diffusion"
    assert first.seen <= second.started
    for name in ("model.safetensors", "config.json", "history.csv"):
        (killed / name).unlink()  # as Snakemake does with outputs that it refuses
    again = subprocess.run(command(tmp_path, killed), check=True, capture_output=True, text=True)
    assert "resuming after step 60 from" in again.stderr
    assert "epoch=" not in again.stderr.replace(str(again.stderr.splitlines()[-1]), ""), "no step is repeated"
    for name in ("model.safetensors", "config.json", "history.csv"):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_terminated_run_exits_nonzero_with_one_line(tmp_path):
    write_stack(tmp_path / "p.npz", stack())
    process = in_foreground(command(tmp_path, tmp_path, 5000), stderr=subprocess.PIPE, text=True)
    wait_for_step(tmp_path, process, 2)
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "SIGUSR1: saved after step" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    (stopped,) = read_attempts(tmp_path / "attempts.json")
    assert (stopped.state, stopped.stopped_by) == ("interrupted", "SIGUSR1")
    assert f"saved after step {stopped.step} " in errors


def test_resident_batches_equal_mapped_ones():
    batches = Batches(slices(), DEVICE)
    streamed = batches(np.array([3, 1]))
    batches.on_device = batches._upload()
    assert all(torch.equal(a, b) for a, b in zip(batches(np.array([3, 1])), streamed, strict=True))


def test_linear_network_has_no_hidden_state():
    """The learners under test keep all that they need in state_dict."""
    learner = diffusion_learner(3)
    assert isinstance(learner.network, nn.Module)
    chosen = {"chosen_size", "chosen_memory"}
    assert set(learner.state_dict()) == {"network", "optimizer", "schedule", "ema"} | chosen
