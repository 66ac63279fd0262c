"""Weights that others wrote: shards are read, damage gives one sentence, no code is run."""

import json
import pickle
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from segguided.config.models.controlnet import Pretrained
from segguided.models.controlnet.autoencoder import start_autoencoder
from segguided.models.controlnet.latent import start_denoiser
from segguided.models.foreign import read_json, read_tensors
from segguided.models.importing import read_unet
from segguided.models.losses.perceptual import vgg19_loss
from segguided.models.weight_files import find_weights
from support.foreign_unet import SIZE, foreign, imported
from support.sd_layout import write_pipeline

USUAL = "diffusion_pytorch_model.safetensors"


@pytest.fixture(name="unet")
def unet_folder(tmp_path: Path) -> Path:
    foreign(tmp_path / "theirs")
    return tmp_path / "theirs/unet"


def read(unet: Path) -> dict[str, torch.Tensor]:
    return read_unet(imported(unet), 3, SIZE).state_dict()


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --- shards


def in_shards(unet: Path, count: int, ending: str = ".safetensors", stem: str = USUAL[:-12]) -> list[Path]:
    """The one file cut into shards, named as diffusers names them, without an index."""
    tensors = load_file(unet / USUAL)
    (unet / USUAL).unlink()
    paths = []
    for number in range(count):
        part = {name: tensors[name] for name in sorted(tensors)[number::count]}
        paths.append(unet / f"{stem}-{number + 1:05}-of-{count:05}{ending}")
        save_file(part, paths[-1]) if ending.lower() == ".safetensors" else torch.save(part, paths[-1])
    return paths


@pytest.mark.parametrize(
    ("count", "ending", "stem"),
    [
        (2, ".safetensors", "diffusion_pytorch_model"),
        (5, ".safetensors", "diffusion_pytorch_model.fp16"),
        (3, ".bin", "diffusion_pytorch_model"),
        (2, ".SAFETENSORS", "Model"),
    ],
)
def test_shards_without_an_index_are_read(unet: Path, count: int, ending: str, stem: str) -> None:
    whole = read(unet)
    in_shards(unet, count, ending, stem)
    assert equal(read(unet), whole)


@pytest.mark.parametrize("size", ["20KB", "60KB", "150KB"])
def test_shards_as_diffusers_writes_them_are_read_through_their_index(unet: Path, size: str) -> None:
    whole = read(unet)
    network = foreign(unet.parent / "again")
    (unet / USUAL).unlink()
    network.save_pretrained(unet, max_shard_size=size)
    assert len(list(unet.glob("*-of-*"))) > 1
    assert (unet / f"{USUAL}.index.json").is_file()
    assert equal(read(unet), whole)


def test_an_index_names_shards_however_they_are_called(unet: Path) -> None:
    whole = read(unet)
    weight_map = {}
    for number, path in enumerate(in_shards(unet, 2)):
        path.rename(unet / f"part{number}.safetensors")
        weight_map |= dict.fromkeys(
            load_file(unet / f"part{number}.safetensors"), f"part{number}.safetensors"
        )
    (unet / f"{USUAL}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert equal(read(unet), whole)


@pytest.mark.parametrize(
    ("count", "lost", "said"), [(2, [2], "no shard 2"), (2, [1], "no shard 1"), (4, [2, 4], "no shard 2, 4")]
)
def test_one_shard_alone_is_named_with_the_way_out(
    unet: Path, count: int, lost: list[int], said: str
) -> None:
    for path in in_shards(unet, count):
        if int(path.name.split("-")[1]) in lost:
            path.unlink()
    with pytest.raises(ValueError, match=rf"is one of {count} shards of .* {said}; put all"):
        read(unet)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (
            {"weight_map": {"a": "lost-00002.safetensors"}},
            r"names 1 shards, but lost-00002.* is not",
        ),
        ({"weight_map": {"a": "../../secret.safetensors"}}, "expected names of files beside it"),
        ({"weight_map": {"a": "/etc/passwd"}}, "expected names of files beside it"),
        ({"weight_map": {"a": ".."}}, "is not there"),
        ({"weight_map": []}, "expected weight_map"),
        ({"metadata": {}}, "expected weight_map"),
        ([], "expected a section of keys with values, got list"),
    ],
)
def test_an_index_that_leads_nowhere_is_named(unet: Path, index: Any, said: str) -> None:
    in_shards(unet, 2)
    (unet / f"{USUAL}.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=rf"index\.json.*{said}"):
        read(unet)


def test_shards_of_two_checkpoints_are_noticed(unet: Path) -> None:
    first, second = in_shards(unet, 2)
    shutil.copy(first, second)
    with pytest.raises(ValueError, match=r"00002-of-00002.* holds .*, which another shard .* holds too"):
        read(unet)


# --- which files count


@pytest.mark.parametrize(
    "beside",
    ["._diffusion_pytorch_model.safetensors", ".DS_Store", "diffusion_pytorch_model.bin", "ema.safetensors",
     "diffusion_pytorch_model.fp16.safetensors", "._weights-00001-of-00002.safetensors"],
)  # fmt: skip
def test_files_beside_the_usual_one_are_ignored(unet: Path, beside: str) -> None:
    (unet / beside).write_bytes(b"\0\5\x16\7 resource fork")
    assert find_weights(unet).files == (unet / USUAL,)
    read(unet)


@pytest.mark.parametrize(
    "name", ["WEIGHTS.SAFETENSORS", "a.Safetensors", "mri (1).safetensors", "läsion.bin"]
)
def test_one_file_of_any_name_counts(unet: Path, name: str) -> None:
    whole = read(unet)
    tensors = load_file(unet / USUAL)
    (unet / USUAL).unlink()
    save_file(tensors, unet / name) if name.lower().endswith("safetensors") else torch.save(
        tensors, unet / name
    )
    (unet / f"._{name}").write_bytes(b"\0\5\x16\7")
    assert equal(read(unet), whole)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.safetensors", "b.SAFETENSORS"], "got a.safetensors, b.SAFETENSORS; call the wanted one"),
        (["a.bin", "b.bin"], "call the wanted one diffusion_pytorch_model.bin"),
        ([USUAL, "diffusion_pytorch_model-00001-of-00001.safetensors"], "or the shards of one, got"),
        (["weights.pth"], r"found none; add them; if weights.pth is a state dict of torch, .* end in \.bin"),
        (["model.ckpt", "notes.txt"], "if model.ckpt is a state dict"),
        (["notes.txt", "._x.safetensors"], "found none; add them$"),
    ],
)
def test_two_candidates_or_none_are_named(tmp_path: Path, names: list[str], said: str) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=said):
        find_weights(tmp_path)


# --- damage


class Runs:
    """A pickle that would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.check_call, (["touch", "PWNED"],)


def saved(value: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(value, path)


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def truncated(share: float) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


ANY = [
    (truncated(0.5), "damaged"),
    (truncated(0.01), "damaged"),
    (lambda path: path.write_bytes(path.read_bytes()[:1]), "damaged"),
    (content(b""), "got an empty file; get it again"),
    (content(b"\n \n"), "got an empty file"),
    (content(b"<!DOCTYPE html>\n<html><body>Sign in</body>"), "is a web page: download the file itself"),
    (content(b"\n<HTML lang='en'>"), "is a web page"),
    (content(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"), "pointer of git-lfs"),
    (content(b'{"error": "not found"}'), "is JSON text"),
    (content(b"\x89PNG\r\n\x1a\n" + b"\1" * 40), "damaged"),
    (content(bytes(range(256)) * 8), "damaged"),
]
OF_A_PICKLE = [
    (saved({"a": Runs()}), "a pickle with code in it, which is never run"),
    (lambda path: path.write_bytes(pickle.dumps(Runs())), "a pickle with code in it, which is never run"),
    (lambda path: path.write_bytes(pickle.dumps({"a": 1})[:-3]), "damaged"),
    (saved({"state_dict": {"a": torch.zeros(1)}}), "expected tensors by name, got other values"),
    (saved([torch.zeros(1)]), "expected tensors by name"),
    (saved(torch.zeros(3)), "expected tensors by name"),
    (saved({"epoch": 3, "weight": torch.zeros(1)}), "expected tensors by name"),
    (saved(torch.nn.Linear(1, 1)), "a pickle with code in it"),
]
OF_SAFETENSORS = [
    (content(struct.pack("<Q", 2**60)), "damaged"),
    (content(struct.pack("<Q", 8) + b'{"a":1} '), "damaged"),
    (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged"),
]


def check(path: Path, spoil: Callable[[Path], object], said: str, call: Callable[[], object]) -> None:
    spoil(path)
    with pytest.raises(ValueError, match=said) as caught:
        call()
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    assert "delete" not in sentence
    assert not Path("PWNED").exists()


@pytest.mark.parametrize(("spoil", "said"), ANY + OF_A_PICKLE)
def test_a_damaged_vgg_19_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "vgg19.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    check(path, spoil, said, lambda: vgg19_loss(path))


@pytest.mark.parametrize(("spoil", "said"), ANY + OF_SAFETENSORS)
def test_damaged_safetensors_are_one_sentence(unet: Path, spoil: Callable[[Path], object], said: str) -> None:
    check(unet / USUAL, spoil, said, lambda: read(unet))


@pytest.mark.parametrize(("spoil", "said"), ANY + OF_A_PICKLE)
def test_a_damaged_bin_is_one_sentence(
    unet: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object], said: str
) -> None:
    monkeypatch.chdir(unet.parent)
    path = unet / "diffusion_pytorch_model.bin"
    torch.save(load_file(unet / USUAL), path)
    (unet / USUAL).unlink()
    check(path, spoil, said, lambda: read(unet))


@pytest.mark.parametrize("length", [123, 60, 8827, 8827 + 32])
def test_a_header_length_that_looks_like_text_is_no_text(tmp_path: Path, length: int) -> None:
    """A safetensors file begins with eight bytes of length: 123 is a brace, 60 is <."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).ljust(length)
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"\0\0\0\0")
    assert read_tensors(path)["a"].item() == 0


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe{",
        b"[" * 100_000,
        b"<html>",
        b"null",
        b"[1]",
        b'"text"',
        b"version https://git-lfs",
    ],
)
def test_json_that_is_none_is_one_sentence(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"config\.json") as caught:
        read_json(path)
    assert "delete" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"norm_num_groups": 0},
        {"block_out_channels": "many"},
        {"block_out_channels": []},
        {"down_block_types": None},
        {"layers_per_block": -3},
        {"attention_head_dim": "x"},
        {"act_fn": "sine"},
        {"block_out_channels": [8, 16, 32]},
        {"block_out_channels": [800_000, 1_600_000]},  # terabytes, were they made
    ],
)
def test_a_description_of_no_unet_is_one_sentence(unet: Path, changes: dict[str, Any]) -> None:
    path = unet / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ValueError, match=r"config\.json|the UNet") as caught:
        read(unet)
    assert "\n" not in str(caught.value)


# --- a pipeline in Stable Diffusion's layout


PARTS = [
    *("unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer/vocab.json"),
    *("text_encoder/model.safetensors", f"unet/{USUAL}", f"vae/{USUAL}"),
]
SPOILT = [truncated(0.5), content(b""), content(b"x"), content(b"[]"), content(b"<!DOCTYPE html>")]


@pytest.mark.parametrize("file", PARTS)
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_damaged_pipeline_is_one_sentence(
    tmp_path: Path, file: str, spoil: Callable[[Path], object]
) -> None:
    source = write_pipeline(tmp_path / "sd")
    spoil(source / file)
    start = Pretrained(kind="pretrained", source=str(source))
    with pytest.raises(ValueError, match=file.split("/", maxsplit=1)[0]) as caught:
        start_autoencoder(start) if file.startswith("vae") else start_denoiser(start, 2)
    assert "\n" not in str(caught.value)
    assert "delete" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"num_hidden_layers": 3}, {"hidden_size": "8"}, {"num_attention_heads": 3}]
)
def test_a_text_encoder_that_does_not_fit_is_one_sentence(tmp_path: Path, change: dict[str, Any]) -> None:
    source = write_pipeline(tmp_path / "sd")
    path = source / "text_encoder/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match="do not hold CLIP's text model"):
        start_denoiser(Pretrained(kind="pretrained", source=str(source)), 2)
