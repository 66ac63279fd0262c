"""PNG files of every kind: the stored values, or one sentence; bombs are recognised by their header."""

import io
import re
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segguided.data.formats import bounds
from segguided.data.formats.png import read_grey, read_patient, write_grey
from segguided.data.formats.png_header import IHDR, LARGEST_FILE, SIGNATURE
from support.refusals import refusal

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a colour type


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    samples: np.ndarray,
    bits: int = 8,
    colour: int = 0,
    extra: bytes = b"",
    size: tuple[int, int] | None = None,
) -> bytes:
    """A PNG file of samples (H, W, channels), written without the library that reads it."""
    height, width = size or samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    rows = samples.reshape(samples.shape[0], -1)
    if bits == 16:
        lines = [b"\0" + row.astype(">u2").tobytes() for row in rows]
    elif bits == 8:
        lines = [b"\0" + row.astype(np.uint8).tobytes() for row in rows]
    else:
        shifts = np.arange(bits)[::-1]
        lines = [b"\0" + np.packbits(row[:, None] >> shifts & 1).tobytes() for row in rows]
    packed = zlib.compress(b"".join(lines))
    return SIGNATURE + chunk(b"IHDR", head) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def written(folder: Path, content: bytes) -> Path:
    path = folder / "a.png"
    path.write_bytes(content)
    return path


def noise(*shape: int, most: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, most, shape)


# What a stored value means


@pytest.mark.parametrize("bits", [1, 2, 4, 16])
@pytest.mark.parametrize("colour", [0, 2])
def test_other_depths_are_refused_instead_of_scaled(tmp_path: Path, bits: int, colour: int) -> None:
    """Pillow would turn a 2-bit label 1 into 85, and drop the lower half of 16-bit colours."""
    if colour == 2 and bits < 8:
        return
    path = written(tmp_path, png(noise(4, 8, CHANNELS[colour], most=1 << bits), bits, colour))
    assert f"expected 8-bit greyscale, got {bits}-bit" in refusal(path, read_grey)
    assert "save it as 8-bit greyscale" in refusal(path, read_grey)


@pytest.mark.parametrize("colour", [3, 4, 6])
def test_palettes_and_transparency_are_refused(tmp_path: Path, colour: int) -> None:
    extra = chunk(b"PLTE", bytes(range(48))) if colour == 3 else b""
    path = written(tmp_path, png(noise(4, 8, CHANNELS[colour], most=16), 8, colour, extra))
    assert "expected 8-bit greyscale, got 8-bit" in refusal(path, read_grey)


@pytest.mark.parametrize("colour", [0, 2])
def test_a_transparent_value_is_refused(tmp_path: Path, colour: int) -> None:
    extra = chunk(b"tRNS", b"\0\1" * CHANNELS[colour])
    path = written(tmp_path, png(np.full((4, 4, CHANNELS[colour]), 1), 8, colour, extra))
    assert "with a transparent value; save it as" in refusal(path, read_grey)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"gAMA", struct.pack(">I", 100000)),
        chunk(b"sRGB", b"\0"),
        chunk(b"sBIT", b"\4"),
        chunk(b"pHYs", struct.pack(">IIB", 1, 1, 1)),
        chunk(b"tEXt", b"Comment\0made by hand"),
        chunk(b"bKGD", b"\0\7"),
    ],
)
def test_chunks_for_screens_change_no_value(tmp_path: Path, extra: bytes) -> None:
    values = noise(5, 7, 1)
    np.testing.assert_array_equal(read_grey(written(tmp_path, png(values, extra=extra))), values[..., 0])


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 16), (33, 8)])
def test_interlaced_files(tmp_path: Path, size: tuple[int, int]) -> None:
    """Adam7, one sample at a time, each pass by itself."""
    values = noise(*size)
    lines = b""
    for y, x, dy, dx in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        part = values[y::dy, x::dx].astype(np.uint8)
        lines += b"".join(b"\0" + row.tobytes() for row in part) if part.size else b""
    head = struct.pack(">IIBBBBB", size[1], size[0], 8, 0, 0, 0, 1)
    content = SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    np.testing.assert_array_equal(read_grey(written(tmp_path, content)), values)


def test_several_pictures_in_one_file(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(8, 8).astype(np.uint8) // k) for k in (1, 2)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    assert "several pictures in one file" in refusal(tmp_path / "a.png", read_grey)


# Damage


def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path) -> None:
    """Also in the pixels, where decoding alone would silently give other values."""
    whole = png(noise(16, 16, 1))
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 4
        message = refusal(written(tmp_path, bytes(content)), read_grey)
        assert "expected" in message, place


@pytest.mark.parametrize("length", [0, 1, 7, 8, 20, 32, 33, 60])
def test_a_cut_file_is_refused(tmp_path: Path, length: int) -> None:
    message = refusal(written(tmp_path, png(noise(16, 16, 1))[:length]), read_grey)
    assert "expected a whole PNG file, got a damaged or another file" in message


@pytest.mark.parametrize("size", [(17, 16), (16, 17), (0, 16), (16, 0), (8, 16)])
def test_a_header_of_another_size(tmp_path: Path, size: tuple[int, int]) -> None:
    path = written(tmp_path, png(noise(16, 16, 1), size=size))
    assert "expected a whole PNG file" in refusal(path, read_grey)


# Bombs


@pytest.mark.parametrize("size", [(13300, 13300), (8193, 8192), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("colour", [0, 2])
def test_a_bomb_is_recognised_by_its_header(tmp_path: Path, size: tuple[int, int], colour: int) -> None:
    head = struct.pack(">IIBBBBB", size[1], size[0], 8, colour, 0, 0, 0)
    packed = zlib.compress(bytes(10**6), 9) * 20
    path = written(tmp_path, SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(path, read_grey)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6
    assert f"at most 67,108,864 pixels in a slice, but its header states {size[1]} × {size[0]}" in message


def test_a_file_of_ten_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, png(noise(4, 4, 1)))
    with path.open("ab") as file:
        file.truncate(10**10)
    assert f"at most {LARGEST_FILE >> 20} MB, got 10,000 MB" in refusal(path, read_grey)


def test_texts_that_unpack_to_gigabytes_are_refused(tmp_path: Path) -> None:
    extra = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10**8), 9))
    assert "expected a whole PNG file" in refusal(
        written(tmp_path, png(noise(4, 4, 1), extra=extra)), read_grey
    )


def test_slices_that_are_too_many_for_a_patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("images", "masks"):
        for k in range(5):
            write_grey(tmp_path / kind / "train" / f"p_slice_{k}.png", np.zeros((16, 16), np.uint8))
    monkeypatch.setattr(bounds, "LARGEST_VOLUME", 4 * 16 * 16)
    with pytest.raises(
        ValueError, match=r"images/train, 5 slices: expected a volume of at most .* 1,280 voxels"
    ):
        read_patient("p", tmp_path / "images", tmp_path / "masks")


# Whatever is written is read back equal, or refused


def test_whatever_is_written_is_read_back_equal_or_refused(tmp_path: Path) -> None:
    """At most one in fifty of the valid files, 8-bit and grey, is refused."""
    valid: list[bool] = []

    @settings(max_examples=700, deadline=None, derandomize=True, database=None)
    @given(
        height=st.integers(1, 12),
        width=st.integers(1, 12),
        kind=st.sampled_from(
            [(8, 0), (8, 2), (1, 0), (2, 0), (4, 0), (16, 0), (16, 2), (8, 3), (8, 4), (8, 6)]
        ),
        equal=st.booleans(),
        chunks=st.lists(st.sampled_from([b"gAMA", b"tIME", b"tEXt", b"pHYs"]), max_size=2, unique=True),
        seed=st.integers(0, 10**6),
    )
    def attempt(
        height: int, width: int, kind: tuple[int, int], equal: bool, chunks: list[bytes], seed: int
    ) -> None:
        bits, colour = kind
        shape = (height, width, 1 if equal else CHANNELS[colour])
        samples = np.random.default_rng(seed).integers(0, 1 << bits, shape)
        samples = np.broadcast_to(samples, (height, width, CHANNELS[colour]))
        data = {b"gAMA": b"\0\1\0\0", b"tIME": bytes(7), b"tEXt": b"a\0b", b"pHYs": bytes(9)}
        extra = b"".join(chunk(name, data[name]) for name in chunks)
        if colour == 3:
            extra += chunk(b"PLTE", bytes(range(256)) * 3)
        path = written(tmp_path, png(samples, bits, colour, extra))
        grey = bits == 8 and (colour == 0 or (colour == 2 and bool((samples == samples[..., :1]).all())))
        try:
            pixels = read_grey(path)
        except ValueError as error:
            assert re.search(r"a\.png: expected 8-bit greyscale, got .*; save it as", str(error))
            if grey:
                valid.append(False)
            return
        np.testing.assert_array_equal(pixels, samples[..., 0])
        assert grey and pixels.dtype == np.uint8
        valid.append(True)

    attempt()
    assert len(valid) >= 100
    assert valid.count(False) <= len(valid) / 50


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(pixels=st.binary(min_size=1, max_size=144), width=st.integers(1, 12))
def test_what_the_export_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, pixels: bytes, width: int
) -> None:
    whole = np.frombuffer(pixels * width, np.uint8).reshape(-1, width)
    path = tmp_path_factory.getbasetemp() / "a.png"
    write_grey(path, whole)
    np.testing.assert_array_equal(read_grey(path), whole)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read_equal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    values = noise(6, 6, 1)
    content = bytearray(png(values))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "drop"])):
            case "flip":
                content[place] = data.draw(st.integers(0, 255))
            case "cut":
                del content[place + 1 :]
            case "insert":
                content[place:place] = data.draw(st.binary(max_size=8))
            case _:
                del content[place]
        if not content:
            break
    path = written(tmp_path_factory.getbasetemp(), bytes(content))
    try:
        pixels = read_grey(path)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    np.testing.assert_array_equal(pixels, values[..., 0])


def test_the_header_is_read_alone() -> None:
    assert IHDR.size == 29
    assert Image.open(io.BytesIO(png(noise(3, 5, 1)))).size == (5, 3)
