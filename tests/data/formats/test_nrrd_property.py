"""Whatever NRRD file is written is read back equal in the patient's space, or refused; nothing else."""

import bz2
import gzip
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.nrrd import read_image, read_segments
from segguided.data.formats.volume import Volume
from support import generated_volumes as gv
from support import volume_files as vf
from support.property_tests import MOST_REFUSED, SAME_EXAMPLES
from support.refusals import refusal

TYPES = {
    "i1": "signed char",
    "u1": "uchar",
    "i2": "short",
    "u2": "uint16",
    "i4": "int",
    "u4": "unsigned int",
    "i8": "int64",
    "u8": "ulonglong",
    "f4": "float",
    "f8": "double",
}
SPACES = [
    *vf.SPACES,
    "Left-Posterior-Superior",
    "RIGHT-ANTERIOR-SUPERIOR",
    "las",
    "Lps",
]
UNITS = {"mm": 1.0, "um": 0.001, "cm": 10.0, "m": 1000.0}
EXTRAS = [
    "# written by nobody",
    "kinds: {kinds}",
    "centerings: {cell}",
    "centerings: {node}",
    "measurement frame: (1,0,0) (0,1,0) (0,0,1)",
    "thicknesses: {nan}",
    "spacings: {nan}",
    "content: a phantom",
    "Who:=nobody: at all",
]


@dataclass(frozen=True)
class Case:
    """A file that a sane program may write."""

    whole: vf.Stored  # in LPS order
    code: str  # the directions in which its axes run, such as LPS
    dtype: str
    order: str
    encoding: str
    space: str
    unit: str | None
    layers: int  # 0: a 3-D file
    layer_axis: int  # of a 4-D file, 0 or 3
    extras: tuple[str, ...]
    newline: str
    detached: bool
    skip: int  # bytes before the voxels

    @property
    def stored(self) -> vf.Stored:
        return vf.stored_along(self.whole, self.code)

    @property
    def is_read_by_itk(self) -> bool:
        """Whether ITK reads the file too, in the same way."""
        is_special = self.layers or self.skip or self.extras or self.unit or self.detached
        is_known = self.space in vf.SPACES and self.encoding in ("raw", "gzip", "ascii")
        return is_known and self.newline == "\n" and not is_special


@st.composite
def cases(draw: Any) -> Case:
    shape = draw(gv.shapes())
    dtype = draw(st.sampled_from(list(TYPES)))
    affine = np.eye(4)
    affine[:3, :3] = gv.turn(*(draw(st.floats(-14, 14)) for _ in range(3)))
    affine[:3, :3] *= [draw(st.sampled_from([0.35, 0.75, 1.0, 5.0])) for _ in range(3)]
    affine[:3, 3] = [draw(st.floats(-300, 300)) for _ in range(3)]
    layers = draw(st.sampled_from([0, 0, 1, 2, 3]))
    seed = draw(st.integers(0, 1000))
    values = gv.voxels(shape, np.dtype(dtype), seed, 3 if layers else None)
    return Case(
        vf.Stored(values, affine),
        draw(st.sampled_from(vf.ALL_ORIENTATIONS)),
        dtype,
        draw(st.sampled_from("<>")),
        draw(st.sampled_from(["raw", "ascii", "text", "gzip", "gz", "bzip2", "bz2", "GZIP"])),
        draw(st.sampled_from(SPACES)),
        draw(st.sampled_from([None, *UNITS])),
        layers,
        draw(st.sampled_from([0, 3])),
        tuple(draw(st.lists(st.sampled_from(EXTRAS), max_size=3, unique_by=lambda line: line.split(":")[0]))),
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.booleans()),
        draw(st.sampled_from([0, 0, 7, -1])),
    )


def layered(case: Case, stored: vf.Stored) -> np.ndarray:
    """A layer for each label from 1, or the labels themselves."""
    if not case.layers:
        return stored.array_ijk
    layers = [stored.array_ijk == k for k in range(1, case.layers + 1)]
    return np.stack(layers, case.layer_axis).astype(case.dtype)


def header_of(case: Case, stored: vf.Stored, sizes: tuple[int, ...]) -> list[str]:
    signs = np.array(next(v for k, v in vf.SPACES.items() if k.lower() == case.space.lower()))
    scale = UNITS[case.unit or "mm"]
    vectors = [vector(axis * signs / scale) for axis in stored.affine[:3, :3].T]
    kinds = ["domain"] * 3
    marks = ["cell"] * 3
    if case.layers:
        vectors.insert(case.layer_axis, "none")
        kinds.insert(case.layer_axis, "list")
        marks.insert(case.layer_axis, "???")
    words = {
        "kinds": " ".join(kinds),
        "cell": " ".join(marks),
        "node": " ".join(marks).replace("cell", "node"),
        "nan": " ".join(["nan"] * len(sizes)),
    }
    lines = [
        "NRRD0005",
        f"type: {TYPES[case.dtype]}",
        f"dimension: {len(sizes)}",
        f"space: {case.space}",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(vectors)}",
        f"space origin: {vector(stored.affine[:3, 3] * signs / scale)}",
        f"endian: {'little' if case.order == '<' else 'big'}",
        f"encoding: {case.encoding}",
        *(line.format(**words) if ":=" not in line else line for line in case.extras),
    ]
    if case.unit:
        lines.append(f'space units: "{case.unit}" "{case.unit}" "{case.unit}"')
    for n in range(case.layers):
        lines += [f"Segment{n}_Name:=Teil {n} größer", f"Segment{n}_LabelValue:=1", f"Segment{n}_Layer:={n}"]
    return lines


def vector(numbers: np.ndarray) -> str:
    return f"({','.join(map(repr, map(float, numbers)))})"


def body_of(case: Case, array: np.ndarray) -> bytes:
    if case.encoding in ("ascii", "text"):
        return "\n".join(map(repr, array.ravel(order="F").tolist())).encode()
    data = bytes(max(case.skip, 0)) + array.astype(case.order + case.dtype).tobytes(order="F")
    if case.skip == -1:
        data = b"x" * 13 + data
    packers = {"raw": bytes, "gz": gzip.compress, "bz": bz2.compress}
    return packers[case.encoding.lower().replace("gzip", "gz").replace("bzip2", "bz")[:3].removesuffix("2")](
        data
    )


def write(folder: Path, case: Case, edit: Any = lambda lines: lines) -> Path:
    stored = case.stored
    array = layered(case, stored)
    lines = header_of(case, stored, array.shape)
    if case.encoding not in ("ascii", "text") and case.skip:
        lines.append(f"byte skip: {case.skip}")
    path = folder / ("m.nhdr" if case.detached else "m.nrrd")
    if case.detached:
        lines.append("data file: m.raw.bin")
        (folder / "m.raw.bin").write_bytes(body_of(case, array))
    text = case.newline.join(edit(lines)) + 2 * case.newline
    path.write_bytes(text.encode() + (b"" if case.detached else body_of(case, array)))
    return path


def assert_equal(path: Path, case: Case) -> None:
    """What the file holds, in the patient's place."""
    expected_zyx = case.whole.array_ijk.transpose(2, 1, 0)
    if not case.layers:
        volume = read_image(path)
        np.testing.assert_array_equal(volume.array_zyx, expected_zyx.astype(np.float32))
        np.testing.assert_allclose(volume.affine, case.whole.affine, atol=1e-6)
        return
    reference = Volume(expected_zyx, case.whole.affine)
    names = [*(f"teil {n} GRÖSSER".replace("SS", "ß") for n in range(case.layers)), None]
    for n, mask in enumerate(read_segments(path, names, reference), 1):
        mask_zyx = np.stack([mask.plane(z) for z in range(len(expected_zyx))])
        labels = [n] if n <= case.layers else range(1, case.layers + 1)
        np.testing.assert_array_equal(mask_zyx, np.isin(expected_zyx, labels))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()

    @SAME_EXAMPLES
    @given(cases())
    def check(case: Case) -> None:
        path = write(tmp_path, case)
        counts["valid"] += 1
        try:
            assert_equal(path, case)
        except ValueError as error:
            assert str(error).startswith(str(path)), error
            counts["refused"] += 1
        if case.is_read_by_itk:
            counts["compared"] += 1
            assert_as_itk_reads(path, case)

    check()
    assert counts["valid"] >= 500 and counts["compared"] >= 3, counts
    assert counts["refused"] <= MOST_REFUSED * counts["valid"], counts


def assert_as_itk_reads(path: Path, case: Case) -> None:
    """A reader that shares no line with ours has the same voxels at the same places."""
    image = sitk.ReadImage(str(path))
    stored = case.stored
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, stored.array_ijk)
    for corner in ([0, 0, 0], [n - 1 for n in stored.array_ijk.shape]):
        place = image.TransformIndexToPhysicalPoint(corner)
        np.testing.assert_allclose(place, (stored.affine @ [*corner, 1])[:3], atol=1e-4)


def without(*names: str) -> Any:
    return lambda lines: [line for line in lines if line.split(":")[0] not in names]


def instead(name: str, value: str) -> Any:
    return lambda lines: [f"{name}: {value}" if line.split(":")[0] == name else line for line in lines]


def besides(*more: str) -> Any:
    return lambda lines: [*lines, *more]


UNCLEAR = {
    "no space": without("space"),
    "scanner-xyz": instead("space", "scanner-xyz"),
    "3D-right-handed": instead("space", "3D-right-handed"),
    "3D-left-handed": instead("space", "3D-left-handed"),
    "LPST": instead("space", "LPST"),
    "a dimension only": lambda lines: besides("space dimension: 3")(without("space")(lines)),
    "no origin": without("space origin"),
    "no directions": without("space directions"),
    "a space only": without("space origin", "space directions"),
    "an origin only": without("space", "space directions"),
    "spacings only": lambda lines: besides("spacings: 0.7 0.7 5")(
        without("space", "space directions", "space origin")(lines)
    ),
    "axis mins only": lambda lines: besides("axis mins: 0 0 0")(
        without("space", "space directions", "space origin")(lines)
    ),
    "NaN origin": instead("space origin", "(nan,0,0)"),
    "infinite origin": instead("space origin", "(0,inf,0)"),
    "NaN direction": instead("space directions", "(1,0,0) (0,nan,0) (0,0,1)"),
    "a direction of none": instead("space directions", "(1,0,0) none (0,0,1)"),
    "two directions": instead("space directions", "(1,0,0) (0,1,0)"),
    "flat vectors": instead("space directions", "(1,0) (0,1) (1,1)"),
    "zero direction": instead("space directions", "(1,0,0) (0,0,0) (0,0,1)"),
    "equal directions": instead("space directions", "(1,0,0) (1,0,0) (0,0,1)"),
    "other spacings": besides("spacings: 9 9 9"),
    "axis mins beside": besides("axis mins: 0 0 0"),
    "units of inches": besides('space units: "in" "in" "in"'),
    "two units": besides('space units: "mm" "mm"'),
    "old units": besides('units: "um" "um" "um"'),
    "kinds of colour": besides("kinds: RGB-color domain domain"),
    "kinds of time": besides("kinds: domain domain time"),
    "two kinds": besides("kinds: domain domain"),
    "space twice": besides("space: left-posterior-superior"),
    "Space twice": besides("Space: left-posterior-superior"),
}


@pytest.mark.parametrize("edit", UNCLEAR.values(), ids=list(UNCLEAR))
def test_a_geometry_that_is_not_understood_is_refused(tmp_path: Path, edit: Any) -> None:
    """As an image; and as a mask, whose wrong or mirrored grid would otherwise pass for the image's."""
    affine = vf.truth().affine
    stored = vf.Stored((vf.truth().array_ijk > 0).astype(np.uint8), affine)
    case = Case(stored, "LAS", "u1", "<", "gzip", "LPS", None, 0, 0, (), "\n", False, 0)
    vf.write_dicom(tmp_path / "series", vf.truth())
    image = read_series(tmp_path / "series")
    whole = write(tmp_path, case)
    assert next(read_segments(whole, [None], image)).labels_zyx.any()
    path = write(tmp_path, case, edit)
    for read in (read_image, lambda file: next(read_segments(file, [None], image))):
        message = refusal(path, read)
        assert "damaged" not in message, message
        assert ";" in message or "export it again" in message, message  # what to do


@st.composite
def damages(draw: Any) -> tuple[Case, list[tuple[float, int]], float]:
    """A file, bytes to set (a share of its length, a value), and the share of the file that is kept."""
    spots = st.tuples(st.floats(0, 0.999), st.integers(0, 255))
    case = replace(draw(cases()), detached=False)
    return case, draw(st.lists(spots, max_size=3)), draw(st.sampled_from([1, 1, 1, 0.05, 0.4, 0.9]))


def test_a_damaged_file_is_refused_or_read_without_a_traceback(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()

    @SAME_EXAMPLES
    @given(damages())
    def check(damage: tuple[Case, list[tuple[float, int]], float]) -> None:
        case, spots, share = damage
        path = write(tmp_path, case)
        data = bytearray(path.read_bytes())
        for place, value in spots:
            data[int(place * len(data))] = value
        path.write_bytes(data[: int(len(data) * share)])
        reference = Volume(case.whole.array_ijk.transpose(2, 1, 0), case.whole.affine)
        try:
            for _ in read_segments(path, [None], reference) if case.layers else [read_image(path)]:
                counts["read"] += 1
        except ValueError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error), error
            counts["refused"] += 1

    check()
    assert counts["read"] >= 50 and counts["refused"] >= 100, counts
