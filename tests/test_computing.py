"""`deterministic`: what it asks of torch and cuBLAS, for how long, and what it says where torch refuses.

This machine may have no GPU: torch is told that there is one, and the errors are those of a GPU.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from segguided.cli import in_this_process
from segguided.computing import WORKSPACE, computing
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.models.segmenter import SegmenterLearner, build_segmenter

ROOT = Path(__file__).parents[1]
# The words of PyTorch's own errors, for an operation and for a workspace that was set to something else.
NO_KERNEL = (
    "cumsum_cuda_kernel does not have a deterministic implementation, but you set "
    "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation, or …"
)
NO_WORKSPACE = (
    "Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or "
    "`at::Context::setDeterministicAlgorithms(true)`, but this operation is not deterministic because …"
)


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """This process computes afterwards as before; setenv, so that the variable is removed again."""
    monkeypatch.setenv(WORKSPACE, "")
    monkeypatch.delenv(WORKSPACE)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")


def test_it_asks_for_deterministic_kernels_only_within(gpu):
    torch.backends.cudnn.benchmark = True
    with computing(1, deterministic=True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert not torch.backends.cudnn.benchmark
        assert os.environ[WORKSPACE] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.usefixtures("gpu")
def test_without_it_nothing_is_asked_for():
    with computing(1, deterministic=False):
        assert not torch.are_deterministic_algorithms_enabled()
        assert WORKSPACE not in os.environ


def test_on_a_cpu_it_changes_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with computing(2, deterministic=True):
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 2


def test_a_workspace_that_the_user_chose_stays(gpu, monkeypatch):
    monkeypatch.setenv(WORKSPACE, ":16:8")
    with computing(1, deterministic=True):
        assert os.environ[WORKSPACE] == ":16:8"


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("refusal", "words"),
    [(NO_KERNEL, "cumsum_cuda_kernel does not have a deterministic implementation"),
     (NO_WORKSPACE, "Deterministic behavior was enabled")],
)  # fmt: skip
def test_what_torch_refuses_is_a_sentence(refusal, words):
    def script() -> None:
        raise RuntimeError(refusal)

    with pytest.raises(ValueError, match=r"PyTorch \S+ refused an operation on Some GPU: ") as caught:
        in_this_process(script, {"threads": 1, "deterministic": True})
    assert words in str(caught.value)
    assert str(caught.value).endswith("; set deterministic: false")
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.usefixtures("gpu")
def test_another_error_stays_what_it_is():
    with pytest.raises(RuntimeError, match="out of memory"), computing(1, deterministic=True):
        raise RuntimeError("out of memory")


def test_a_script_takes_the_option():
    command = [sys.executable, "scripts/train_diffusion.py", "--help"]
    assert "--deterministic" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def test_the_segmenters_loss_uses_no_class_indices():
    """`nll_loss2d` takes class indices of images; CUDA adds its terms in another order each time."""
    seen = []

    class Seen(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, _types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    training = Training(steps=1, batch_size=2, learning_rate=1e-3, precision="fp32")
    settings = Segmenter(channels=(4, 8), training=training)
    learner = SegmenterLearner(build_segmenter(settings, 2), settings, 1, None, torch.device("cpu"))
    masks_BHW = torch.randint(0, 3, (2, 16, 16), dtype=torch.uint8)
    with Seen():
        learner.update(masks_BHW, masks_BHW, torch.Generator())
    assert any("softmax" in name for name in seen)
    assert not [name for name in seen if "nll_loss2d" in name]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_itself_refuses_class_indices_of_images():
    """The reason of the test above; when this fails, torch has learnt it."""
    logits_BCHW = torch.zeros(1, 2, 4, 4, device="cuda")
    masks_BHW = torch.zeros(1, 4, 4, device="cuda", dtype=torch.long)
    with pytest.raises(ValueError, match="nll_loss2d"), computing(1, deterministic=True):
        functional.cross_entropy(logits_BCHW, masks_BHW)
