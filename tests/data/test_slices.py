"""Slice files give back what was written, and sets of slices keep names and pixels together."""

import os
import re
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

from segguided.data import open_files
from segguided.data.formats.npz import map_npz
from segguided.data.slices import (
    SliceSet,
    Stack,
    read_generated,
    read_slices,
    read_stack,
    write_npz,
    write_stack,
)
from segguided.seals import seal_archive

SCRIPTS = Path(__file__).parents[2] / "scripts"


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


def test_written_slices_are_read_back_equal_and_memory_mapped(tmp_path: Path) -> None:
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


def printed_with_file_limits(soft: int, hard: int, code: str, folder: Path) -> str:
    """What a process prints that may have so many files open; `paths` are 80 slice files in `folder`."""
    for k in range(80):
        write_stack(folder / f"p{k}.npz", stack_of(f"p{k}", 1, size=2))
    start = (
        "import resource, sys; from pathlib import Path\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from segguided.data.slices import read_slices\n"
        "from segguided.data import open_files\n"
        "paths = sorted(Path(sys.argv[1]).iterdir())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", start + code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def test_more_patients_than_a_process_may_open_files(tmp_path: Path) -> None:
    """The usual limit is 1024; each memory map holds a file open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert printed_with_file_limits(40, hard, "print(len(read_slices(paths)))", tmp_path) == "80\n"


def test_sets_of_slices_that_are_open_at_once_are_counted_together(tmp_path: Path) -> None:
    """One set needs no more than its share; five together need more than the limit that one asked for."""
    code = "open_files.SPARE_FILES = 64; sets = [read_slices(paths) for _ in range(5)]; print(len(sets))"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert printed_with_file_limits(40, hard, code, tmp_path) == "5\n"


def test_a_set_that_does_not_fit_beside_the_open_ones_is_refused(tmp_path: Path) -> None:
    """Before any file of it is opened; sets that nothing uses any more do not count."""
    code = """if True:
        sets = [read_slices(paths), read_slices(paths)]
        try:
            read_slices(paths)
        except ValueError as error:
            print(error)
        sets.clear()
        print(len(read_slices(paths)))
    """
    sentence, after = printed_with_file_limits(40, 300, code, tmp_path).splitlines()
    assert re.fullmatch(
        r"a job opens the slice files of 80 patients at once, while it has 16\d files open, but a process "
        r"may have 300 files open on this machine; have the hard limit \(`ulimit -Hn`\) raised to 50\d, or "
        "make splits of fewer patients",
        sentence,
    )
    assert after == "80"


def test_more_patients_than_the_machine_lets_anybody_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(open_files, "_open_files", lambda: 44)
    with pytest.raises(ValueError, match=r"70000 patients at once, .* 44 .* 4096 files .* to 70300,"):
        read_slices([Path("p.npz")] * 70_000)


def test_more_patients_than_the_kernel_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    monkeypatch.setattr(open_files, "MOST_MEMORY_MAPS", tmp_path / "max_map_count")
    monkeypatch.setattr(open_files, "_open_files", lambda: 44)
    (tmp_path / "max_map_count").write_text("65530\n")
    with pytest.raises(ValueError, match=r"70000 patients .* 65530 maps.*max_map_count raised to 72044,"):
        read_slices([Path("p.npz")] * 70_000)


def test_where_the_system_does_not_say_what_is_open_each_set_is_counted_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_files, "OPEN_FILES", Path("/nowhere"))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    with pytest.raises(ValueError, match=r"while it has 0 files open, .* to 5256,"):
        read_slices([Path("p.npz")] * 5_000)


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
def test_choices_of_no_slice_or_of_another_length_are_refused(chosen: list[bool]) -> None:
    with pytest.raises(ValueError, match="expected to keep some of 5 slices, got"):
        set_of([2, 3]).where(chosen)


def test_other_images_with_the_same_masks() -> None:
    slices = set_of([2, 3])
    images = np.arange(5 * 64, dtype=np.uint8).reshape(5, 8, 8)
    changed = slices.with_images(images, list(slices.names))
    np.testing.assert_array_equal(changed.images, images)
    np.testing.assert_array_equal(changed.masks, slices.masks)
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
