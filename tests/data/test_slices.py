"""Slices: exact grey values, image and mask aligned, and files that give back what was written."""

import json
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segguided.config.datasets import Preparation
from segguided.data.formats.npz import map_npz
from segguided.data.formats.values import Values
from segguided.data.formats.volume import Volume
from segguided.data.slices import (
    SliceSet,
    Stack,
    read_generated,
    read_slices,
    read_stack,
    write_npz,
    write_stack,
)
from segguided.data.slicing import intensity_range, to_stack
from segguided.seals import seal_archive

SCRIPTS = Path(__file__).parents[2] / "scripts"
WINDOW = {"kind": "window", "low": -100, "high": 155}


def preparation(**changes: Any) -> Preparation:
    values = {
        "source": {"kind": "png", "images": "unused", "masks": "unused"},
        "classes": [{"name": "body"}, {"name": "lungs"}],
        "intensity": WINDOW,
        "image_size": 32,
    }
    return Preparation.model_validate({**values, **changes})


def volume(
    array_zyx: np.ndarray, spacing_zyx: tuple[float, float, float] = (3, 1, 1), start: float = -50
) -> Volume:
    affine = np.diag([spacing_zyx[2], spacing_zyx[1], spacing_zyx[0], 1.0])
    affine[2, 3] = start
    return Volume(array_zyx, affine, {"series_uid": "1.2.3"})


def sliced(image_zyx: np.ndarray, mask_zyx: np.ndarray, spacing: Any = (3, 1, 1), **changes: Any) -> Stack:
    return to_stack("p1", volume(image_zyx, spacing), volume(mask_zyx, spacing), preparation(**changes))


def ramp(shape: tuple[int, int, int] = (4, 32, 32)) -> np.ndarray:
    return np.linspace(-300, 300, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def ones(shape: tuple[int, int, int] = (4, 32, 32)) -> np.ndarray:
    return np.ones(shape, np.uint8)


# Grey values


def test_a_window_maps_to_exact_grey_values() -> None:
    image = np.full((1, 32, 32), -101, np.int16)
    image[0, 0, :8] = [-32768, -100, -99, 0, 154, 155, 156, 32767]
    stack = sliced(image, ones((1, 32, 32)))
    assert stack.images_SHW.dtype == np.uint8
    assert stack.images_SHW[0, 0, :8].tolist() == [0, 0, 1, 100, 254, 255, 255, 255]


def test_halves_round_to_the_nearest_grey_value() -> None:
    image = np.zeros((1, 32, 32), np.float32)
    image[0, 0, :3] = [0.4, 0.6, 254.6]
    stack = sliced(image, ones((1, 32, 32)), intensity={"kind": "window", "low": 0, "high": 255})
    assert stack.images_SHW[0, 0, :3].tolist() == [0, 1, 255]


def test_percentiles_of_the_whole_volume() -> None:
    image = np.arange(4 * 32 * 32, dtype=np.int16).reshape(4, 32, 32)
    stack = sliced(image, ones(), intensity={"kind": "percentile", "low": 0, "high": 100})
    expected = np.rint(image.astype(np.float32) * np.float32(255 / 4095)).astype(np.uint8)
    np.testing.assert_array_equal(stack.images_SHW, expected)
    clipped = preparation(intensity={"kind": "percentile", "low": 25, "high": 75}).intensity
    assert intensity_range(Values(image), clipped) == (1023.75, 3071.25)
    assert stack.provenance["raw_value_of_255"] == 4095


@given(
    st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=40),
    st.lists(st.one_of(st.floats(0, 100), st.sampled_from([0, 0.5, 50, 99.5, 100])), min_size=1, max_size=3),
)
def test_counted_percentiles_are_numpys_to_the_last_bit(values: list[int], percents: list[float]) -> None:
    image = np.array(values, np.int16).reshape(1, 1, -1)
    expected = np.percentile(image.astype(np.float64), percents).tolist()
    assert Values(image).percentiles(percents) == expected
    assert Values(np.flip(image, 2)).percentiles(percents) == expected


# Geometry


@pytest.mark.parametrize("spacing", [(3, 1, 1), (3, 2, 1), (3, 0.7, 1.4)])
@pytest.mark.parametrize("shape", [(1, 64, 40), (1, 40, 64), (1, 64, 64)])
def test_the_aspect_in_mm_is_kept(spacing: Any, shape: tuple[int, int, int]) -> None:
    _, height, width = shape
    image = np.full(shape, 155, np.int16)
    image[0, 1, 1] = -100
    stack = sliced(image, ones(shape), spacing, image_size=64)
    height_mm, width_mm = height * spacing[1], width * spacing[2]
    pixel_mm = max(height_mm, width_mm) / 64
    for seen in (stack.masks_SHW[0] > 0, stack.images_SHW[0] > 127):
        assert abs(seen.any(axis=1).sum() * pixel_mm - height_mm) <= 2 * max(pixel_mm, *spacing[1:])
        assert abs(seen.any(axis=0).sum() * pixel_mm - width_mm) <= 2 * max(pixel_mm, *spacing[1:])
        rows, columns = np.argwhere(seen).mean(axis=0)
        assert abs(rows - 31.5) <= 1
        assert abs(columns - 31.5) <= 1


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.just(1), st.integers(30, 90), st.integers(30, 90)),
    size=st.sampled_from([16, 24, 32, 64, 128]),
    mm=st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
)
def test_image_and_mask_stay_aligned(shape: tuple[int, int, int], size: int, mm: tuple[float, float]) -> None:
    """An asymmetric object has its centre of mass at one place in both, to half a pixel."""
    mask = np.zeros(shape, np.uint8)
    _, height, width = shape
    mask[:, height // 8 : height // 2, width // 6 : width * 3 // 4] = 1
    mask[:, height // 8 : height * 7 // 8, width // 6 : width // 2] = 1
    image = np.where(mask > 0, 155, -100).astype(np.int16)
    stack = sliced(image, mask, (3.0, *mm), image_size=size)
    of_mask = np.argwhere(stack.masks_SHW[0]).mean(axis=0)
    of_image = np.argwhere(stack.images_SHW[0] > 127).mean(axis=0)
    assert np.abs(of_mask - of_image).max() < 0.5


def test_no_label_is_invented() -> None:
    mask = np.zeros((2, 61, 47), np.uint8)
    mask[:, 10:50, 10:40] = 3
    mask[:, 20:30, 20:30] = 1
    classes = [{"name": name} for name in ("a", "b", "c")]
    stack = sliced(ramp((2, 61, 47)), mask, classes=classes, image_size=24)
    assert set(np.unique(stack.masks_SHW)) == {0, 1, 3}


def test_shrinking_averages_instead_of_sampling() -> None:
    stripes = np.where(np.arange(256) % 2, 155, -100).astype(np.int16)
    stack = sliced(np.broadcast_to(stripes, (1, 256, 256)), ones((1, 256, 256)))
    assert np.abs(stack.images_SHW[:, :, 2:-2].astype(int) - 127).max() <= 4


# Selection


@pytest.mark.parametrize(
    ("interpolation", "overshoots"), [("triangle", 0), ("box", 0), ("cubic", 1), ("lanczos", 1)]
)
def test_each_filter_keeps_the_range_and_is_told(interpolation: str, overshoots: int) -> None:
    """Enlarged edges of a step: cubic and Lanczos pass 255 there and must not wrap around to black."""
    image = np.full((1, 16, 16), 0, np.float32)
    image[0, :, 8:] = 200
    high = {"kind": "window", "low": 0, "high": 255}
    stack = sliced(image, ones((1, 16, 16)), interpolation=interpolation, intensity=high)
    row = stack.images_SHW[0, 16].astype(int)
    assert (row[0], row[-1]) == (0, 200)
    assert (row.max() > 200) == bool(overshoots)
    full = {"kind": "window", "low": 0, "high": 200}
    row = sliced(image, ones((1, 16, 16)), interpolation=interpolation, intensity=full).images_SHW[0, 16]
    assert (row[:14] < 30).all()
    assert (row[18:] > 225).all()
    assert stack.provenance["resampling"].startswith(f"image: {interpolation} filter; mask: nearest")


def test_the_default_says_what_it_always_said() -> None:
    told = sliced(ramp(), ones()).provenance["resampling"]
    assert told == "image: triangle filter; mask: nearest neighbour; padded to a square"


def test_z_ascends_and_slices_are_chosen_by_share_and_step() -> None:
    mask = np.zeros((10, 32, 32), np.uint8)
    for z in range(10):
        mask[z, :z] = 1  # share z / 32
    image = np.arange(10, dtype=np.int16)[:, None, None] * np.ones((1, 32, 32), np.int16)
    window = {"kind": "window", "low": 0, "high": 255}
    stack = sliced(image, mask, intensity=window, slices={"min_foreground": 4 / 32, "every": 2})
    assert stack.images_SHW[:, 0, 0].tolist() == [4, 6, 8]
    assert stack.positions_S.tolist() == [-50 + 3 * z for z in (4, 6, 8)]
    assert stack.masks_SHW[:, :, 0].sum(axis=1).tolist() == [4, 6, 8]
    assert stack.names == ["p1_slice_0", "p1_slice_1", "p1_slice_2"]
    assert len(sliced(image, mask, intensity=window).images_SHW) == 10


# Refusals


def refusal(image: Volume, mask: Volume, **changes: Any) -> str:
    with pytest.raises(ValueError, match="p1") as caught:
        to_stack("p1", image, mask, preparation(**changes))
    return str(caught.value)


def test_a_class_outside_the_table() -> None:
    message = refusal(volume(ramp()), volume(ones() * 3))
    assert (
        "mask value 3 is outside the class table, which defines 1…2 (body, lungs); add the class" in message
    )


def test_unequal_grids() -> None:
    assert "the image has shape (4, 32, 32) (z, y, x)" in refusal(volume(ramp()), volume(ones((4, 31, 32))))
    assert "are on different grids" in refusal(volume(ramp()), volume(ones(), start=-49))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_without_a_number(bad: float) -> None:
    image = ramp()
    image[2, 1, 0] = bad
    message = refusal(volume(image), volume(ones()))
    assert "NaN or infinite" in message
    assert "z=2, y=1, x=0" in message


def test_an_empty_patient() -> None:
    assert "p1 is empty: no voxel of its mask is labelled" in refusal(volume(ramp()), volume(0 * ones()))


def test_no_slice_left() -> None:
    mask = np.zeros((4, 32, 32), np.uint8)
    mask[0, 0, 0] = 1
    message = refusal(volume(ramp()), volume(mask), slices={"min_foreground": 0.5})
    assert (
        "has no slice left: 4 slices, none with the share 0.5 of labelled pixels that was asked for"
        in message
    )
    assert "lower slices.min_foreground" in message


@pytest.mark.parametrize("intensity", [WINDOW, {"kind": "percentile", "low": 1, "high": 99}])
@pytest.mark.parametrize("value", [-2000, 3000])
def test_a_volume_of_one_grey_value(intensity: Any, value: int) -> None:
    message = refusal(volume(np.full((4, 32, 32), value, np.int16)), volume(ones()), intensity=intensity)
    assert f"voxels run from {value} to {value}" in message
    assert "choose another `intensity`" in message


# Files


def stack_of(patient: str, count: int, size: int = 8, seed: int = 0) -> Stack:
    rng = np.random.default_rng([seed, *patient.encode()])
    return Stack(
        patient,
        rng.integers(0, 256, (count, size, size), np.uint8),
        rng.integers(0, 3, (count, size, size), np.uint8),
        np.arange(count) * 2.5 - 7,
        {"classes": ["body", "lungs"], "series_uid": "1.2.ü"},
    )


def test_what_is_written_is_read_in_equal_bytes_and_not_into_memory(tmp_path: Path) -> None:
    stack = stack_of("a.b", 5)
    write_stack(tmp_path / "a.b.npz", stack)
    write_stack(tmp_path / "again.npz", stack)
    assert (tmp_path / "a.b.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    back = read_stack(tmp_path / "a.b.npz")
    assert back.patient == "a.b"
    assert back.provenance == stack.provenance
    for name in ("images_SHW", "masks_SHW", "positions_S"):
        np.testing.assert_array_equal(getattr(back, name), getattr(stack, name))
        assert getattr(back, name).dtype == getattr(stack, name).dtype
    for mapped in (back.images_SHW, back.masks_SHW):
        assert not mapped.flags.owndata
        assert not mapped.flags.writeable


shapes = st.lists(st.integers(0, 4), min_size=0, max_size=3).map(tuple)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=shapes, dtype=st.sampled_from(["u1", "<i2", ">f4", "<f8", "?", "<U5"]), fortran=st.booleans())
def test_any_array_comes_back(tmp_path: Path, shape: tuple[int, ...], dtype: str, fortran: bool) -> None:
    values = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype, order="F" if fortran else "C")
    write_npz(tmp_path / "a.npz", first=values, second=values[..., :1] if shape else values)
    mapped = map_npz(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as expected:
        assert mapped.keys() == set(expected.files)
        for name in expected.files:
            np.testing.assert_array_equal(mapped[name], expected[name])
            assert mapped[name].dtype == expected[name].dtype


def damage(path: Path) -> str:
    with pytest.raises(
        ValueError, match=r"is damaged \(.+\); delete it and run the same command again"
    ) as caught:
        read_stack(path)
    return str(caught.value)


def sealed_damage(path: Path) -> str:
    """Of a file that is none of ours although its seal is whole."""
    seal_archive(path, path, {})
    return damage(path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    write_stack(path, stack_of("p", 3))
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[:-1], whole[: len(whole) // 2], b"<html>404</html>"):
        path.write_bytes(content)
        assert str(path) in damage(path)
    np.savez_compressed(path, images=np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="holds no checksum"):
        read_stack(path)
    assert "images.npy is compressed" in sealed_damage(path)
    np.savez(path, images=np.array([{}], object))
    assert "images.npy holds" in sealed_damage(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00\x02\x00{}")
    sealed_damage(path)
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as member:
        header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
        np.lib.format.write_array_header_1_0(member, header)
        member.write(bytes(8))  # would be read as an address
    sealed_damage(path)
    with pytest.raises(FileNotFoundError):
        read_stack(tmp_path / "absent.npz")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_overwritten_byte_gives_an_error_or_slices_of_the_right_form(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "p.npz"
    write_stack(path, stack_of("p", 2, size=2))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        back = read_stack(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert back.images_SHW.shape == back.masks_SHW.shape
        assert back.images_SHW.dtype == back.masks_SHW.dtype == np.uint8
        assert len(back.positions_S) == len(back.images_SHW)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"masks": None}, "is not a slice file ('masks')"),
        ({"provenance": np.array("{")}, "is not a slice file (Expecting property name"),
        ({"masks": np.zeros((2, 8, 8), np.uint8)}, "uint8 (3, 8, 8), uint8 (2, 8, 8) and (3,)"),
        ({"images": np.zeros((3, 8, 8))}, "got float64 (3, 8, 8)"),
        ({"positions": np.zeros(4)}, "and (4,)"),
    ],
)
def test_files_of_another_form(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    stack = stack_of("p", 3)
    arrays = {
        "images": stack.images_SHW,
        "masks": stack.masks_SHW,
        "positions": stack.positions_S,
        "provenance": np.array("{}"),
        **change,
    }
    write_npz(tmp_path / "p.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match="prepare it again") as caught:
        read_stack(tmp_path / "p.npz")
    assert expected in str(caught.value)


def test_slices_of_unequal_size(tmp_path: Path) -> None:
    for patient, size in (("a", 8), ("b", 16)):
        write_stack(tmp_path / f"{patient}.npz", stack_of(patient, 2, size))
    paths = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"different sizes \[\(8, 8\), \(16, 16\)\]; prepare them again"):
        read_slices(paths)
    with pytest.raises(ValueError, match="patient a appears twice"):
        read_slices([paths[0], paths[0]])
    with pytest.raises(ValueError, match="at least one patient, got none"):
        read_slices([])


def test_more_patients_than_a_process_may_open_files(tmp_path: Path) -> None:
    """The usual limit is 1024; each memory map holds a file open."""
    for k in range(80):
        write_stack(tmp_path / f"p{k}.npz", stack_of(f"p{k}", 1, size=2))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = f"""if True:
        import resource, sys
        from pathlib import Path
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, {hard}))
        from segguided.data.slices import read_slices
        print(len(read_slices(sorted(Path(sys.argv[1]).iterdir()))))
    """
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.stdout == "80\n", done.stderr


def test_generated_sets(tmp_path: Path) -> None:
    images = np.zeros((2, 4, 4), np.uint8)
    write_npz(tmp_path / "test.npz", images=images, names=np.array(["p_slice_0", "p_slice_1"]))
    back, names = read_generated(tmp_path / "test.npz")
    assert back.shape == (2, 4, 4)
    assert names == ["p_slice_0", "p_slice_1"]
    for wrong in ({"names": np.array(["one"])}, {"images": images[0]}, {"images": images.astype(float)}, {}):
        arrays = (
            {"images": images, "names": np.array(["p_slice_0", "p_slice_1"]), **wrong} if wrong else wrong
        )
        write_npz(tmp_path / "test.npz", **arrays)
        with pytest.raises(ValueError, match=r"test\.npz: expected uint8 images .* generate it again"):
            read_generated(tmp_path / "test.npz")


# Sets

counts = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def set_of(slices: list[int]) -> SliceSet:
    return SliceSet([stack_of(f"p{k}", count) for k, count in reversed(list(enumerate(slices)))])


@settings(max_examples=30, deadline=None)
@given(counts=counts, data=st.data())
def test_a_batch_is_those_rows_of_the_whole(counts: list[int], data: st.DataObject) -> None:
    slices = set_of(counts)
    assert len(slices) == sum(counts) == len(slices.names) == len(set(slices.names))
    assert slices.patients.tolist() == [name.rsplit("_slice_", 1)[0] for name in slices.names]
    assert slices.patients.tolist() == sorted(slices.patients.tolist())
    indices = np.array(data.draw(st.lists(st.integers(0, len(slices) - 1), min_size=1)))
    images_BHW, masks_BHW = slices.batch(indices)
    np.testing.assert_array_equal(images_BHW, slices.images[indices])
    np.testing.assert_array_equal(masks_BHW, slices.masks[indices])


@settings(max_examples=30, deadline=None)
@given(counts=counts, data=st.data())
def test_chosen_slices_keep_name_and_pixels_even_chosen_twice(counts: list[int], data: st.DataObject) -> None:
    kept, rows = set_of(counts), np.arange(sum(counts))
    whole = kept
    for _ in range(2):
        chosen = data.draw(st.lists(st.booleans(), min_size=len(kept), max_size=len(kept)).filter(any))
        kept, rows = kept.where(chosen), rows[chosen]
        assert kept.names == [whole.names[r] for r in rows]
        assert kept.patients.tolist() == whole.patients[rows].tolist()
        np.testing.assert_array_equal(kept.images, whole.images[rows])
        np.testing.assert_array_equal(kept.masks, whole.masks[rows])
        positions = [stack.positions_S for stack in whole.stacks]
        np.testing.assert_array_equal(
            np.concatenate([stack.positions_S for stack in kept.stacks]), np.concatenate(positions)[rows]
        )


@pytest.mark.parametrize("chosen", [[False] * 5, [True] * 4, [True] * 6, []])
def test_choosing_none_or_by_another_length(chosen: list[bool]) -> None:
    with pytest.raises(ValueError, match="expected to keep some of 5 slices, got"):
        set_of([2, 3]).where(chosen)


def test_other_images_over_the_same_masks() -> None:
    slices = set_of([2, 3])
    images = np.arange(5 * 64, dtype=np.uint8).reshape(5, 8, 8)
    other = slices.with_images(images, list(slices.names))
    np.testing.assert_array_equal(other.images, images)
    np.testing.assert_array_equal(other.masks, slices.masks)
    half = slices.where([True, False, True, False, True])
    np.testing.assert_array_equal(half.with_images(images[::2], half.names).images, images[::2])
    wrong = [
        (images, slices.names[::-1]),
        (images, [*slices.names[:-1], "p9_slice_0"]),
        (images[:4], slices.names[:4]),
        (images[:4], slices.names),
        (images[:, :4], slices.names),
    ]
    for wrong_images, names in wrong:
        with pytest.raises(
            ValueError, match=r"do not belong to these 5 masks of \(8, 8\); generate it again"
        ):
            slices.with_images(wrong_images, names)


def test_provenance_is_json_and_says_how_pixels_came_about() -> None:
    provenance = json.loads(json.dumps(sliced(ramp(), ones(), slices={"every": 2}).provenance))
    assert provenance["image"] == {"series_uid": "1.2.3"}
    assert provenance["spacing_zyx_mm"] == [3, 1, 1]
    assert provenance["slices"] == {"every": 2, "min_foreground": 0.0}
    assert (provenance["raw_value_of_0"], provenance["raw_value_of_255"]) == (-100, 155)
