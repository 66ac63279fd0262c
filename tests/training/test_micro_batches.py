"""`micro_batch_size: auto`: what is chosen, that trying leaves no trace, and what a continued run takes."""

import copy
import logging
from functools import partial

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.spade import AdversarialTraining
from segguided.config.models.training import MicroBatchSize, Training
from segguided.config.models.unet import Unet
from segguided.data.slices import SliceSet, Stack
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser
from segguided.training import micro_batches, ranks
from segguided.training.attempts import Attempts, read_attempts
from segguided.training.checkpoint import Checkpoint
from segguided.training.loop import Batches, Plan, fit, train
from segguided.training.micro_batches import NotChosen, choose_size
from segguided.training.optimisation import Descent

CPU = torch.device("cpu")
TRAINING = Training(steps=6, batch_size=8, learning_rate=1e-3, ema_decay=0.9, precision="fp32")


class SmallMemory(nn.Module):
    """A network that runs out of memory in the backward pass of more than `room` images."""

    def __init__(self, room):
        super().__init__()
        self.layer = nn.Linear(4, 1)
        self.norm = nn.BatchNorm1d(3)  # its buffers change in the forward pass
        self.room = room
        self.seen = []

    def forward(self, x_BCL):
        self.seen.append(len(x_BCL))
        result_B = self.layer(nn.functional.dropout(self.norm(x_BCL))).square().sum((1, 2))
        if len(x_BCL) > self.room:
            result_B.register_hook(self.fail)
        return result_B

    def fail(self, _gradient):
        raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def small_memory(monkeypatch):
    """The CPU is tried out, as a GPU is."""
    monkeypatch.setattr(micro_batches, "may_run_out", lambda device: True)


def losses_of(network, x_BCL):
    return {"loss": network(x_BCL).mean()}


@pytest.mark.parametrize(
    ("room", "images", "tried"),
    [(9, 8, [8]), (4, 8, [8, 4]), (1, 8, [8, 4, 2, 1]), (3, 6, [6, 3]), (1, 5, [5, 3, 2, 1])],
)
def test_the_largest_part_that_fits_is_chosen(room, images, tried, small_memory):
    network = SmallMemory(room)
    assert choose_size(partial(losses_of, network), [torch.randn(images, 3, 4)], network) == tried[-1]
    assert network.seen == tried


def test_a_cpu_takes_the_batch_and_tries_nothing():
    network = SmallMemory(1)
    assert choose_size(partial(losses_of, network), [torch.randn(8, 3, 4)], network) == 8
    assert network.seen == []


def test_trying_leaves_no_trace(small_memory):
    network = SmallMemory(2)
    before = copy.deepcopy(network.state_dict())
    choose_size(partial(losses_of, network), [torch.randn(8, 3, 4)], network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_trying_takes_no_random_number(small_memory):
    network = SmallMemory(2)
    x_BCL = torch.randn(8, 3, 4)
    state = torch.random.get_rng_state()
    choose_size(partial(losses_of, network), [x_BCL], network)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_where_not_one_image_fits_one_sentence_says_so(small_memory):
    network = SmallMemory(0)
    with pytest.raises(
        ValueError, match="auto, but not even one image fits the memory of cpu; use a GPU with"
    ):
        choose_size(partial(losses_of, network), [torch.randn(8, 3, 4)], network)


def test_all_gpus_take_the_smallest_size(small_memory, monkeypatch):
    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(ranks, "rank", lambda: 1)
    network = SmallMemory(9)
    others = -1  # the other GPU found that one image fits
    monkeypatch.setattr(ranks, "max_over_processes", lambda own: max(own, others))
    assert choose_size(partial(losses_of, network), [torch.randn(7, 3, 4)], network) == 1
    assert network.seen == [3]  # its share of the 7


def test_other_errors_are_not_taken_for_a_lack_of_memory(small_memory):
    network = SmallMemory(9)
    with pytest.raises(KeyError):
        choose_size(lambda x_BCL: {"other": network(x_BCL).mean()}, [torch.randn(4, 3, 4)], network)


def test_a_descent_says_before_its_first_step_that_it_must_choose(small_memory):
    network = SmallMemory(2)
    descent = Descent.with_adamw(network, TRAINING, 6)
    batch = [torch.randn(8, 3, 4)]
    with pytest.raises(NotChosen) as unknown:
        descent.descend(partial(losses_of, network), batch, "auto")
    assert network.seen == []
    assert unknown.value.choose() == 2
    network.seen.clear()
    descent.descend(partial(losses_of, network), batch, "auto")
    assert network.seen == [2, 2, 2, 2]


def slices():
    generator = torch.Generator().manual_seed(0)
    masks_SHW = torch.randint(0, 3, (12, 16, 16), dtype=torch.uint8, generator=generator).numpy()
    stack = Stack("p", masks_SHW * 90, masks_SHW, torch.arange(12.0).numpy(), {"classes": ["a", "b"]})
    return SliceSet([stack])


def learner(micro_batch_size, room=99):
    """A tiny denoiser that runs out of memory with more than `room` images at once."""
    torch.manual_seed(0)
    model = DiffusionModel(
        kind="diffusion",
        conditioning="onehot",
        unet=Unet(channels=(8, 8), norm_groups=4, layers_per_block=1),
        micro_batch_size=micro_batch_size,
        training=TRAINING,
    )
    made = DiffusionLearner(MaskedDenoiser(model, 2, 16), model, 6, CPU)

    def check(_network, inputs, output):
        if len(inputs[0]) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")

    made.network.register_forward_hook(check)
    return made


def trained(made, path, stop_after=None, **changes):
    plan = Plan.from_settings(TRAINING, 12)
    progress = None
    for progress in train(made, Batches(slices(), CPU), plan, 5, Checkpoint(path, "same", **changes)):
        if progress.step == stop_after:
            break
    return progress, nn.utils.parameters_to_vector(made.network.parameters())


def test_a_training_with_auto_is_that_with_the_number_bit_for_bit(small_memory, tmp_path, caplog):
    """Losses, random numbers and counted operations, too."""
    caplog.set_level(logging.INFO, "segguided")
    given, weights = trained(learner(2), tmp_path / "a.pt")
    found, others = trained(learner("auto", room=2), tmp_path / "b.pt")
    assert torch.equal(weights, others)
    assert found.history == given.history
    assert found.flops == given.flops
    assert (given.micro_batch_size, found.micro_batch_size) == (None, 2)
    assert "micro_batch_size: auto: 2 of 8 images at once" in caplog.text


def test_on_a_cpu_auto_is_the_whole_batch(tmp_path):
    _, weights = trained(learner(None), tmp_path / "a.pt")
    found, others = trained(learner("auto"), tmp_path / "b.pt")
    assert torch.equal(weights, others)
    assert found.micro_batch_size == 8


def test_a_continued_run_takes_the_size_of_its_first_attempt(small_memory, tmp_path):
    """Also where the second machine has room for more: so the weights are the same, bit for bit."""
    _, undisturbed = trained(learner(2), tmp_path / "a.pt")
    trained(learner("auto", room=2), tmp_path / "b.pt", stop_after=3, seconds=0)
    continued, weights = trained(learner("auto", room=99), tmp_path / "b.pt")
    assert continued.micro_batch_size == 2
    assert torch.equal(weights, undisturbed)


def on_memory(monkeypatch, size):
    """From now on the device has so many bytes of memory."""
    monkeypatch.setattr(micro_batches, "total_memory", lambda device: size)


@pytest.mark.parametrize(("memory", "room", "expected"), [(39, 2, 2), (39, 9, 4), (40, 9, 4), (80, 9, 4)])
def test_a_run_that_continues_with_less_memory_tries_its_size_again(
    memory, room, expected, small_memory, tmp_path, monkeypatch, caplog
):
    """The size of its first attempt, 4, as far as it fits; so with as much memory it stays the same run."""
    caplog.set_level(logging.INFO, "segguided")
    _, undisturbed = trained(learner(4), tmp_path / "a.pt")
    on_memory(monkeypatch, 40)
    trained(learner("auto", room=4), tmp_path / "b.pt", stop_after=3, seconds=0)
    on_memory(monkeypatch, memory)
    caplog.clear()
    continued, weights = trained(learner("auto", room=room), tmp_path / "b.pt")
    assert continued.micro_batch_size == expected
    assert torch.equal(weights, undisturbed) == (expected == 4)
    torch.testing.assert_close(weights, undisturbed, rtol=1e-3, atol=1e-5)
    line = f"auto: {expected} of 8 images at once; 4 were chosen on a device with more memory"
    assert sum(line in message for message in caplog.messages) == (memory < 40)


def test_the_size_of_the_smallest_memory_is_kept_on_a_larger_one(small_memory, tmp_path, monkeypatch):
    sizes = []
    for memory, room, stop_after in ((40, 4, 1), (20, 2, 2), (40, 4, 3), (20, 2, None)):
        on_memory(monkeypatch, memory)
        found, _ = trained(learner("auto", room), tmp_path / "a.pt", stop_after, seconds=0)
        sizes.append(found.micro_batch_size)
    assert sizes == [4, 2, 2, 2]


def test_a_run_of_a_cpu_tries_its_size_where_it_continues_on_a_gpu(tmp_path, monkeypatch):
    trained(learner("auto"), tmp_path / "a.pt", stop_after=3, seconds=0)
    on_memory(monkeypatch, 40)
    monkeypatch.setattr(micro_batches, "may_run_out", lambda device: True)
    continued, _ = trained(learner("auto", room=4), tmp_path / "a.pt")
    assert continued.micro_batch_size == 4


def test_a_state_that_does_not_say_its_memory_keeps_its_size(small_memory, monkeypatch):
    """Such states were written by earlier versions."""
    made = learner("auto", room=4)
    state = made.state_dict() | {"chosen_size": 2}
    del state["chosen_memory"]
    on_memory(monkeypatch, 1)
    continued = learner("auto", room=4)
    continued.load_state_dict(state)
    images_BHW, masks_BHW = Batches(slices(), CPU)(torch.arange(8).numpy())
    continued.update(images_BHW, masks_BHW, torch.Generator().manual_seed(1))
    assert continued.descent.chosen_size == 2


def test_gpus_that_train_together_have_the_memory_of_the_smallest(monkeypatch):
    on_memory(monkeypatch, 80)
    monkeypatch.setattr(ranks, "max_over_processes", lambda own: max(own, -40))
    assert micro_batches.least_memory(CPU) == 40


def test_moments_in_memory_are_not_reserved_again(small_memory, monkeypatch):
    """A trial within a run reserves what a trial before its first step would, less what the run holds."""
    network = SmallMemory(9)
    descent = Descent.with_adamw(network, TRAINING, 6)
    batch = [torch.randn(8, 3, 4)]
    reserved = []
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda size, **options: reserved.append(size) or empty(size))
    with pytest.raises(NotChosen) as before:
        descent.descend(partial(losses_of, network), batch, "auto")
    before.value.choose()
    descent.descend(partial(losses_of, network), batch, "auto")
    descent.chosen_memory += 1
    del descent._memory
    with pytest.raises(NotChosen) as within:
        descent.descend(partial(losses_of, network), batch, "auto")
    within.value.choose()
    weights = sum(p.nbytes for p in network.parameters())
    steps = 4 * len(list(network.parameters()))  # Adam counts them for each parameter, in fp32
    assert reserved == [6 * weights, 4 * weights - steps]


def test_sizes_of_micro_batches_change_gradients_by_rounding_alone(small_memory, tmp_path):
    gradients = []
    for size in (None, 4, "auto"):
        made = learner(size, room=3)
        made.network._forward_hooks.clear()
        made.descent.chosen_size = 3
        made.descent.step = lambda: None
        images_BHW, masks_BHW = Batches(slices(), CPU)(torch.arange(8).numpy())
        made.update(images_BHW, masks_BHW, torch.Generator().manual_seed(1))
        gradients.append(torch.cat([p.grad.flatten() for p in made.network.parameters()]))
    for parts in gradients[1:]:
        assert (parts - gradients[0]).norm() < 1e-5 * gradients[0].norm()


def test_the_record_of_attempts_has_the_size(small_memory, tmp_path):
    attempts = Attempts(tmp_path / "attempts.json", 6, 8, "cpu", 0, seconds=0)
    with attempts:
        fit(
            learner("auto", room=4),
            Batches(slices(), CPU),
            Plan.from_settings(TRAINING, 12),
            5,
            Checkpoint(tmp_path / "resume.pt", "same"),
            tmp_path / "history.csv",
            attempts,
        )
    (attempt,) = read_attempts(tmp_path / "attempts.json")
    assert attempt.micro_batch_size == 4


@pytest.mark.parametrize("value", [0, -1, "automatic", 2.5, [4]])
def test_another_value_is_refused_with_one_sentence(value):
    with pytest.raises(ValueError, match="expected a whole number of at least 1, auto, or null") as refused:
        learner(value)
    assert len(refused.value.errors()) == 1


def test_auto_is_refused_where_the_size_decides_the_weights():
    """The batch norms of SPADE and a discriminator's spectral norms see one micro-batch after another."""
    with pytest.raises(ValueError, match="auto is not for SPADE"):
        AdversarialTraining(steps=1, batch_size=2, micro_batch_size="auto")
    losses = {"adversarial": 1.0, "discriminator": {"channels": 4, "layers": 2, "scales": 1}}
    with pytest.raises(ValueError, match="auto, but a discriminator's spectral norms"):
        DiffusionModel(
            kind="diffusion",
            conditioning="onehot",
            prediction_type="sample",
            unet=Unet(channels=(8, 8), norm_groups=4, layers_per_block=1),
            micro_batch_size="auto",
            losses=losses,
            training=TRAINING,
        )


def test_a_number_may_be_text_as_an_option_of_snakemake_gives_it():
    adapter = TypeAdapter(MicroBatchSize)
    assert [adapter.validate_python(value) for value in ("4", 4, "auto", None)] == [4, 4, "auto", None]
