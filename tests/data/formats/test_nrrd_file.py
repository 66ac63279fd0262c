"""NRRD files: no more is unpacked than the header says, and voxels are read in its own folder only."""

import bz2
import gzip
import os
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.data.formats import nrrd_file
from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.nrrd import read_image, read_segments
from segguided.data.formats.orientation import oriented
from segguided.data.formats.volume import Volume
from support import volume_files as vf
from support.refusals import refusal

VALUES = np.arange(24, dtype=np.uint8)
HEADER = """NRRD0005
type: uint8
dimension: 3
sizes: 2 3 4
space: LPS
space directions: (1,0,0) (0,1,0) (0,0,2)
space origin: (5,6,7)
encoding: {encoding}
{more}"""
PACK: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "gzip": partial(gzip.compress, mtime=0),
    "bzip2": bz2.compress,
}


def write(path: Path, body: bytes, encoding: str = "raw", more: str = "", header: str = HEADER) -> Path:
    path.write_bytes(header.format(encoding=encoding, more=more).rstrip().encode() + b"\n\n" + body)
    return path


def assert_read(path: Path) -> None:
    array_zyx = read_image(path).array_zyx
    np.testing.assert_array_equal(array_zyx.transpose(2, 1, 0), VALUES.reshape((2, 3, 4), order="F"))


# --- voxels in a file of their own ---


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("name", ["m.raw", "./m.raw", "below/m.raw", "with blanks.raw", "listing"])
def test_voxels_beside_the_header(tmp_path: Path, name: str, encoding: str) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / name).write_bytes(PACK[encoding](VALUES.tobytes()))
    assert_read(write(tmp_path / "m.nhdr", b"", encoding, f"data file: {name}\n"))
    assert_read(write(tmp_path / "m.nhdr", b"", encoding, f"datafile: {tmp_path / name}"))


@pytest.mark.parametrize(
    "name", ["../m.raw", "{outside}/m.raw", "below/../../m.raw", "link.raw", "linked/m.raw", "/dev/zero"]
)
def test_voxels_elsewhere_are_not_read(tmp_path: Path, name: str) -> None:
    own = tmp_path / "own"
    outside = tmp_path / "outside"
    (own / "below").mkdir(parents=True)
    outside.mkdir()
    for folder in (tmp_path, outside):
        (folder / "m.raw").write_bytes(VALUES.tobytes())
    (own / "link.raw").symlink_to(outside / "m.raw")
    (own / "linked").symlink_to(outside)
    path = write(own / "m.nhdr", b"", more=f"data file: {name.format(outside=outside)}\n")
    assert "are outside its own folder" in refusal(path, read_image)
    assert "are outside its own folder" in refusal(path, nrrd_file.read)


@pytest.mark.parametrize(
    "names", ["LIST\nm0.raw\nm1.raw", "LIST 2\nm0.raw", "m%02d.raw 0 3 1", "m%d.raw 0 3 1 2"]
)
def test_voxels_in_several_files(tmp_path: Path, names: str) -> None:
    path = write(tmp_path / "m.nhdr", b"", more=f"data file: {names}\n")
    assert "spread over several files" in refusal(path, read_image)


def test_voxels_in_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "pipe.nrrd").symlink_to("pipe")
    (tmp_path / "zero.nrrd").symlink_to("/dev/zero")
    kinds = {"pipe": "a pipe", "folder": "a folder", "lost": "there is none", "": "a folder"}
    for name, expected in kinds.items():
        with pytest.raises(ValueError, match=rf"m\.nhdr: .*{name}: expected its voxels, but .*{expected}"):
            read_image(write(tmp_path / "m.nhdr", b"", more=f"data file: ./{name}\n"))
    assert "a pipe" in refusal(tmp_path / "pipe.nrrd", read_image)
    assert "a device" in refusal(tmp_path / "zero.nrrd", read_image)


# --- load ---


@pytest.mark.parametrize("encoding", ["gzip", "bzip2"])
def test_a_bomb_is_unpacked_to_the_size_in_its_header(tmp_path: Path, encoding: str) -> None:
    bomb = PACK[encoding](VALUES.tobytes() + bytes(60 << 20))
    path = write(tmp_path / "m.nrrd", bomb, encoding)
    tracemalloc.start()
    assert "more voxels than the sizes (2, 3, 4)" in refusal(path, read_image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(bomb) < 100_000 and peak < 8e6


@pytest.mark.parametrize("sizes", ["4000 4000 4000", "1 1 99999999999999", "65536 65536 2"])
@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
def test_a_header_that_asks_for_too_much(tmp_path: Path, sizes: str, encoding: str) -> None:
    header = HEADER.replace("2 3 4", sizes)
    assert "GiB" in refusal(write(tmp_path / "m.nrrd", b"1", encoding, header=header), read_image)


def test_a_header_without_an_end(tmp_path: Path) -> None:
    (tmp_path / "m.nrrd").write_bytes(b"NRRD0005\n" + (b"#" * 9_999 + b"\n") * 2_000)
    assert "no end within 16 MiB" in refusal(tmp_path / "m.nrrd", read_image)
    (tmp_path / "m.nrrd").write_bytes(b"NRRD0005\n" + b"x" * 20_000_000)
    assert "its header" in refusal(tmp_path / "m.nrrd", read_image)


def test_text_with_an_endless_number(tmp_path: Path) -> None:
    words = [str(value) for value in VALUES]
    assert_read(write(tmp_path / "m.nrrd", " ".join(words).encode(), "ascii"))
    assert_read(write(tmp_path / "m.nrrd", ",\n".join(words).encode(), "text"))
    words[3] = "0" * 3_000_000
    assert "3000000 characters long" in refusal(
        write(tmp_path / "m.nrrd", " ".join(words).encode(), "ascii"), read_image
    )


# --- odd headers and voxels ---


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sizes: 2 3.5 4", "each needs a whole number"),
        ("sizes: 2 0 4", "each needs a whole number"),
        ("sizes: 2 -3 4", "each needs a whole number"),
        ("sizes: 2 3", "each needs a whole number"),
        ("sizes: 1e1 3 4", "each needs a whole number"),
        ("type: block", "of the type block"),
        ("type: complex", "of the type complex"),
        ("type: short", "the order of bytes"),
        ("encoding: hex", "encoded as hex"),
        ("encoding: zstd", "encoded as zstd"),
        ("dimension: three", "header is not understood"),
        ("space origin: 5 6 7", "header is not understood"),
        ("line skip: -1", "line skip: -1"),
        ("byte skip: -2", "byte skip: -2"),
        ("a remark", "no colon: 'a remark'"),
        ("type: uint8\ntype: uint8", "Duplicate header field"),
        ("Type: uint8\ntype: uint8", "Duplicate header field"),
    ],
)
def test_headers_that_are_not_understood(tmp_path: Path, line: str, words: str) -> None:
    name = line.split(":", 1)[0].lower()
    whole = HEADER.format(encoding="raw", more="").splitlines()
    others = [other for other in whole if other.split(":")[0] != name]
    (tmp_path / "m.nrrd").write_bytes("\n".join([*others, line]).encode() + b"\n\n" + VALUES.tobytes())
    message = refusal(tmp_path / "m.nrrd", read_image)
    assert words in message and "damaged" not in message


def test_names_in_any_case_and_spelling(tmp_path: Path) -> None:
    header = HEADER.replace("type: uint8", "TYPE: UInt8").replace(
        "space: LPS", "Space: Left-Posterior-Superior"
    )
    header = header.replace("(1,0,0)", "( 1, 0, 0 )").replace("raw", "RAW")
    assert_read(write(tmp_path / "m.nrrd", VALUES.tobytes(), "RAW", header=header))
    body = b"a line\n" + b"xyz" + VALUES.tobytes()
    assert_read(write(tmp_path / "m.nrrd", body, more="LineSkip: 1\nbyteskip: 3\n"))
    assert_read(
        write(tmp_path / "m.nrrd", gzip.compress(b"xyz" + VALUES.tobytes()), "gzip", "byte skip: 3\n")
    )


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "truncated or damaged"),
        (b"NRRD0005\n", "truncated or damaged"),
        (b"NRRD0006\n\n", "Unsupported NRRD file version"),
        (b"NRRD\n\n", "not understood"),
        (b"<html>404</html>", "it is a web page"),
        (gzip.compress(b"NRRD0005\n", mtime=0), "it is a gzip file; unpack it"),
        (b"\0" * 128 + b"DICM" + b"\0" * 300, "it is a DICOM file"),
        (b"\0" * 344 + b"n+1\0" + b"\0" * 300, "it is a NIfTI file"),
        (b"ObjectType = Image\n", "MetaImage"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "m.nrrd").write_bytes(content)
    assert kind in refusal(tmp_path / "m.nrrd", read_image)


@pytest.mark.parametrize("encoding", PACK)
def test_truncation_anywhere(tmp_path: Path, encoding: str) -> None:
    """In each line of the header, and up to the last byte, where a checksum is."""
    whole = write(tmp_path / "m.nrrd", PACK[encoding](VALUES.tobytes()), encoding).read_bytes()
    for length in range(4, len(whole)):
        (tmp_path / "m.nrrd").write_bytes(whole[:length])
        assert "truncated or damaged" in refusal(tmp_path / "m.nrrd", read_image)


@pytest.mark.parametrize("encoding", ["gzip", "bzip2"])
def test_every_bit_of_packed_voxels_counts(tmp_path: Path, encoding: str) -> None:
    """Except one or two that fill up a byte, which Python's own unpacking ignores too."""
    packed = PACK[encoding](VALUES.tobytes())
    ignored = 0
    for place in range(10, len(packed)):
        flipped = bytearray(packed)
        flipped[place] ^= 16
        path = write(tmp_path / "m.nrrd", bytes(flipped), encoding)
        try:
            assert_read(path)
            ignored += 1
        except ValueError as error:
            assert "truncated or damaged" in str(error)
    assert ignored <= 2


def test_more_raw_voxels_than_the_header_says(tmp_path: Path) -> None:
    path = write(tmp_path / "m.nrrd", VALUES.tobytes() + b"\0")
    assert "more voxels than the sizes (2, 3, 4)" in refusal(path, read_image)


# --- segments ---


def reference() -> Volume:
    return oriented(vf.truth().array_ijk, vf.truth().affine)


def masks(path: Path, *names: str | None) -> list[np.ndarray]:
    return [mask.labels_zyx == mask.value for mask in read_segments(path, names, reference())]


def labelled(dtype: Any = np.uint8) -> vf.Stored:
    return vf.Stored(np.searchsorted([-999, 41], vf.truth().array_ijk).astype(dtype), vf.truth().affine)


def test_names_outside_ascii(tmp_path: Path) -> None:
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", labelled(), **vf.segment_fields(("A", 1, 0), ("B", 2, 0)))
    named = (
        path.read_bytes()
        .replace(b"Name:=A", "Name:=Läsion".encode())
        .replace(b"Name:=B", "Name:=肝臓".encode())
    )
    path.write_bytes(named)
    first, second = masks(path, "LÄSION", "肝臓")
    np.testing.assert_array_equal(first.transpose(2, 1, 0), labelled().array_ijk == 1)
    np.testing.assert_array_equal(second.transpose(2, 1, 0), labelled().array_ijk == 2)
    path.write_bytes(named.replace("ä".encode(), "ä".encode("latin-1")).replace("肝臓".encode(), b"Dr"))
    np.testing.assert_array_equal(masks(path, "läsion")[0], first)
    path.write_bytes(named.replace("ä".encode(), "a\u0308".encode()))
    np.testing.assert_array_equal(masks(path, "läsion")[0], first)


def test_segments_of_one_name(tmp_path: Path) -> None:
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", labelled(), **vf.segment_fields(("A", 1, 0), ("a ", 2, 0)))
    assert "2 segments are named A" in refusal(path, masks, "A")
    path = vf.write_nrrd(path, labelled(), **vf.segment_fields(("A", 0, 0)))
    assert "whole label value above 0" in refusal(path, masks, "A")


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf, -0.25])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_that_are_no_labels(tmp_path: Path, bad: float, dtype: Any) -> None:
    """Each of these is not 0, and would count as labelled."""
    stored = labelled(dtype)
    fields = vf.segment_fields(("A", 1, 0), ("B", 2, 0))
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", stored, **fields)
    np.testing.assert_array_equal(masks(path, "A")[0].transpose(2, 1, 0), stored.array_ijk == 1)
    stored.array_ijk[1, 2, 3] = bad
    path = vf.write_nrrd(path, stored, **fields)
    assert f"got {bad:g}; is this a map of probabilities" in refusal(path, masks, None)


@pytest.mark.parametrize(
    "header", ["spacings: 1 1 1\n", "spacings: nan nan nan\n", 'space units: "mm" "mm" "mm"\n']
)
def test_a_header_that_places_nothing_counts_as_without_geometry(tmp_path: Path, header: str) -> None:
    """As Duke's masks are: they are in the frame of the DICOM files."""
    vf.write_dicom(tmp_path / "series", vf.truth())
    image = read_series(tmp_path / "series")
    array = labelled().array_ijk
    sizes = " ".join(map(str, array.shape))
    text = f"NRRD0005\ntype: uint8\ndimension: 3\nsizes: {sizes}\nencoding: raw\n{header}\n"
    (tmp_path / "m.nrrd").write_bytes(text.encode() + array.tobytes(order="F"))
    (mask,) = read_segments(tmp_path / "m.nrrd", [None], image)
    np.testing.assert_array_equal(mask.labels_zyx.transpose(2, 1, 0), array)


@pytest.mark.parametrize("flips", [[-1, 1, 1], [1, -1, 1], [1, 1, -1], [-1, -1, -1]])
def test_unit_steps_that_mirror_are_no_default(tmp_path: Path, flips: list[int]) -> None:
    vf.write_dicom(tmp_path / "series", vf.truth())
    image = read_series(tmp_path / "series")
    path = vf.write_nrrd(tmp_path / "m.nrrd", vf.Stored(labelled().array_ijk, np.diag([*flips, 1.0])))
    assert "different grids" in refusal(path, lambda file: next(read_segments(file, [None], image)))
