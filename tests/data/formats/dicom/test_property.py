"""Whatever a DICOM file says of its pixels, they come back as written or are refused, and nothing else."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.volume import Volume
from support import volume_files as vf
from support.property_tests import MOST_REFUSED, SAME_EXAMPLES

EXAMPLES = 600
SYNTAXES = (
    *(ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian),
    *(DeflatedExplicitVRLittleEndian, RLELossless),
)
CODES = ("LPS", "LPI", "RAS", "PIL", "LIP", "ASR", "SRP")
SLOPES = st.sampled_from([1, 1, 2, -1, 0.5, 0.00123, 3.75, 1000])
INTERCEPTS = st.sampled_from([0, 0, -1024, -8192, 0.25, 32768, 1e6])


@dataclass(frozen=True)
class Case:
    """One series: its stored values, how its files state them, and what must come back."""

    stored_kji: np.ndarray  # int64
    rescale: list[tuple[float, float] | None]
    padding: tuple[int, int] | None  # ends of the range, in stored units
    bits: tuple[int, int, int]  # allocated, stored, shift of the lowest stored bit
    signed: bool
    junk: int  # set in the bits above the stored ones
    inverted: bool
    syntax: Any
    preamble: str
    code: str
    affine: np.ndarray
    seed: int

    @property
    def padded_kji(self) -> np.ndarray:
        """Where the slices are padding."""
        if self.padding is None:
            return np.zeros(self.stored_kji.shape, bool)
        low, high = sorted(self.padding)
        return (self.stored_kji >= low) & (self.stored_kji <= high)

    @property
    def values_kji(self) -> np.ndarray:
        """In modality units."""
        pairs = [pair or (1, 0) for pair in self.rescale]
        return np.array([s * slope + add for s, (slope, add) in zip(self.stored_kji, pairs, strict=True)])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    allocated = draw(st.sampled_from([8, 16, 16, 16, 32]))
    stored = draw(st.integers(2, allocated) | st.just(allocated))
    signed = draw(st.booleans())
    low = -(1 << (stored - 1)) if signed else 0
    high = low + (1 << stored) - 1
    shape = draw(st.tuples(st.integers(2, 4), st.integers(1, 4), st.integers(1, 5)))
    some = draw(st.lists(st.integers(low, high) | st.sampled_from([low, high]), min_size=2, max_size=12))
    order = np.random.default_rng(draw(st.integers(0, 99)))
    stored_kji = order.choice(np.array(some, np.int64), shape)
    padding = None
    if draw(st.booleans()):
        # As the standard has it, 16 bits at most, also where pixels have more.
        end = st.sampled_from(some) | st.integers(low, high)
        ends = st.tuples(end, end) | end.map(lambda value: (value, value))
        padding = draw(
            ends.filter(lambda pair: all(-(1 << 15) * signed <= p < 1 << (16 - signed) for p in pair))
        )
    rescale = draw(
        st.just([None] * shape[0])
        | st.tuples(SLOPES, INTERCEPTS).map(lambda pair: [pair] * shape[0])
        | st.lists(st.tuples(SLOPES, INTERCEPTS), min_size=shape[0], max_size=shape[0])
    )
    # pydicom's own encoder takes neither 32 bits nor 16 of which 8 are used.
    encodable = allocated == 8 or (allocated == 16 and stored > 8)
    syntax = draw(st.sampled_from(SYNTAXES if encodable else SYNTAXES[:-1]))
    whole = syntax in (DeflatedExplicitVRLittleEndian, RLELossless)
    shift = draw(st.just(0) | st.integers(0, allocated - stored))
    return Case(
        stored_kji,
        rescale,
        padding,
        (allocated, stored, shift),
        signed,
        draw(st.sampled_from([0, 1, 0xFFFFFFFF])),
        draw(st.booleans()),
        syntax,
        draw(st.just("whole") if whole else st.sampled_from(["whole", "whole", "no preamble", "no meta"])),
        draw(st.sampled_from(CODES)),
        np.diag([*draw(st.tuples(*[st.sampled_from([0.5, 0.7, 1.25, 3])] * 3)), 1.0]),
        draw(st.integers(0, 99)),
    )


def pixel_bytes(case: Case, k: int) -> bytes:
    """The slice as the file holds it, other bits filled with junk."""
    allocated, stored, shift = case.bits
    kind = f"u{allocated // 8}"
    bits = (case.stored_kji[k] & ((1 << stored) - 1)) << shift
    above = (case.junk << (stored + shift)) & ((1 << allocated) - 1)
    order = ">" if case.syntax == ExplicitVRBigEndian else "<"
    return (bits | above).astype(kind).astype(f"{order}{kind}").tobytes()


def write(case: Case, folder: Path) -> vf.Stored:
    """Write the series; return its values (i, j, k) and their affine."""
    values_ijk = case.values_kji.transpose(2, 1, 0)
    geometry = vf.stored_along(
        vf.Stored(np.zeros(_permuted(values_ijk.shape, case.code)), case.affine), case.code
    )

    def change(k: int, dataset: Dataset) -> None:
        dataset.set_original_encoding(None, None)  # so that pydicom may write big endian
        allocated, stored, shift = case.bits
        dataset.BitsAllocated = allocated
        dataset.BitsStored = stored
        dataset.HighBit = stored + shift - 1
        dataset.PixelRepresentation = int(case.signed)
        dataset.PhotometricInterpretation = "MONOCHROME1" if case.inverted else "MONOCHROME2"
        dataset.PixelData = pixel_bytes(case, k)
        if len(dataset.PixelData) % 2:
            dataset.PixelData += b"\0"
        dataset["PixelData"].VR = "OB" if allocated == 8 else "OW"
        del dataset.RescaleSlope, dataset.RescaleIntercept
        if case.rescale[k] is not None:
            dataset.RescaleSlope, dataset.RescaleIntercept = map(str, case.rescale[k])
        if case.padding is not None:
            for tag, end in zip((0x00280120, 0x00280121), case.padding, strict=True):
                dataset.add_new(tag, "SS" if case.signed else "US", end)
        if case.syntax == RLELossless:
            dataset.compress(RLELossless)

    syntax = ExplicitVRLittleEndian if case.syntax == RLELossless else case.syntax
    for path in vf.write_dicom(folder, geometry, syntax=syntax, change=change, seed=case.seed):
        strip(path, case.preamble)
    return vf.Stored(values_ijk, geometry.affine)


def _permuted(shape_ijk: tuple[int, ...], code: str) -> list[int]:
    """The shape along L, P and S of an array whose axes run along the letters of `code`."""
    shape = [0, 0, 0]
    for size, letter in zip(shape_ijk, code, strict=True):
        shape[vf.DIRECTIONS[letter][0]] = size
    return shape


def strip(path: Path, preamble: str) -> None:
    """Remove the preamble, or also the meta information."""
    content = path.read_bytes()
    if preamble == "no preamble":
        path.write_bytes(content[132:])
    elif preamble == "no meta":
        path.write_bytes(content[132 + 12 + int.from_bytes(content[140:144], "little") :])


def assert_equal(volume: Volume, case: Case, written: vf.Stored) -> None:
    """The same value, or padding, at the same place in the patient."""
    x, y, z = volume.affine[:3, :3].T
    assert x[0] > 0 and y[1] > 0 and z[2] > 0
    to_stored = np.linalg.inv(written.affine) @ volume.affine
    index = np.indices(volume.array_zyx.shape[::-1]).reshape(3, -1)
    ijk = np.rint(to_stored[:3, :3] @ index + to_stored[:3, 3:]).astype(int)
    got = volume.array_zyx[tuple(index[::-1])]
    padded = case.padded_kji.transpose(2, 1, 0)[tuple(ijk)]
    if padded.any():
        np.testing.assert_array_equal(got == volume.padding, padded)
    else:
        assert volume.padding is None
    expected = written.array_ijk[tuple(ijk)].astype(np.float32)
    np.testing.assert_array_equal(got[~padded].astype(np.float32), expected[~padded])
    assert volume.inverted == case.inverted


@pytest.mark.filterwarnings("ignore")  # pydicom warns of what is unusual
def test_whatever_is_written_is_read_back_or_refused(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    refusals: list[str] = []

    @settings(SAME_EXAMPLES, max_examples=EXAMPLES)
    @given(cases())
    def check(case: Case) -> None:
        folder = tmp_path / str(tally.total())
        written = write(case, folder)
        try:
            volume = read_series(folder)
        except ValueError as error:
            assert str(error).startswith(str(folder)) and ";" in str(error)
            tally["refused"] += 1
            refusals.append(str(error))
            return
        tally["read"] += 1
        assert_equal(volume, case, written)

    check()
    assert tally["read"] + tally["refused"] >= 500
    assert tally["refused"] <= MOST_REFUSED * tally.total(), refusals
