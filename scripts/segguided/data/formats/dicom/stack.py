"""The voxels of a DICOM series: held in one array or, if that is too large, read again slice by slice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.dicom.pixels import Pixels
from segguided.data.formats.values import count_int16
from segguided.data.formats.volume import Volume, oriented

IN_MEMORY = 512 << 20  # bytes of voxels that are held; what is larger is read twice instead
INT16, FLOAT32 = np.dtype(np.int16), np.dtype(np.float32)
# What stands for padding in a volume: a number that no other voxel has.
PADDING = {INT16: int(np.iinfo(np.int16).min), FLOAT32: float(np.finfo(np.float32).min)}

Reread = Callable[[], Pixels]


def room(what: str, most: int, shape: tuple[int, int], dtype: np.dtype, streamable: bool) -> "HeldSlices":
    """Where the slices go as they are read. Raises ValueError, beginning with `what`, for too many voxels."""
    voxels = most * shape[0] * shape[1]
    refuse_huge(what, voxels, dtype.itemsize)
    is_large = voxels * dtype.itemsize > IN_MEMORY
    kind = CountedSlices if is_large and streamable and dtype == INT16 else HeldSlices
    return kind(most, shape, dtype)


class FloatNeededError(Exception):
    """Some voxel of the series has no number in int16."""


class HeldSlices:
    """All slices of a series in one array, in the order in which they are placed."""

    def __init__(self, most: int, shape: tuple[int, int], dtype: np.dtype) -> None:
        """Room for `most` slices of (rows, columns)."""
        self.shape_kji = (most, *shape)
        self.dtype = dtype
        self.padded = 0  # voxels
        self._lowest_is_value = False
        self._make_room()

    def _make_room(self) -> None:
        self._array_kji = np.empty(self.shape_kji, self.dtype)

    @property
    def padding(self) -> float | None:
        """The number that stands for padding; None where no voxel is."""
        return PADDING[self.dtype] if self.padded else None

    def place(self, k: int, pixels: Pixels) -> None:
        """Take the slice as the k-th. Raises FloatNeededError."""
        if self.dtype == INT16:
            self._check_int16(pixels)
        self.padded += 0 if pixels.padding is None else int(np.count_nonzero(pixels.padding))
        self._keep(k, pixels)

    def _keep(self, k: int, pixels: Pixels) -> None:
        self._array_kji[k] = marked(pixels, self.dtype)

    def _check_int16(self, pixels: Pixels) -> None:
        """Raise FloatNeededError where int16 cannot hold a value, or tell it from padding."""
        values, padding = pixels.values, pixels.padding
        if values.dtype != INT16:
            raise FloatNeededError
        lowest = values == PADDING[INT16]
        if padding is not None:
            lowest &= ~padding
        self._lowest_is_value |= bool(lowest.any())
        if self._lowest_is_value and (self.padded or padding is not None):
            raise FloatNeededError

    def volume(self, order: Sequence[int], affine: np.ndarray, reread: Sequence[Reread]) -> Volume:
        """The slices in `order`, `affine` mapping their (column, row, slice, 1) to LPS mm."""
        array_kji = self._array_kji[: len(order)]
        reorder(array_kji, order)
        return replace(oriented(array_kji.transpose(2, 1, 0), affine), padding=self.padding)


class CountedSlices(HeldSlices):
    """The same of a series too large to hold: only how many voxels have each int16 value is kept."""

    def _make_room(self) -> None:
        self._counts = np.zeros(1 << 16, np.int64)

    def _keep(self, k: int, pixels: Pixels) -> None:
        self._counts += count_int16(marked(pixels, INT16))

    def volume(self, order: Sequence[int], affine: np.ndarray, reread: Sequence[Reread]) -> Volume:
        """The same, but each slice is read by its entry of `reread`, as placed, when it is asked for."""
        rows, columns = self.shape_kji[1:]
        unread = np.broadcast_to(INT16.type(0), (columns, rows, len(order)))  # takes no memory
        volume = oriented(unread, affine)
        slices = StreamedSlices([reread[k] for k in order], affine, volume.array_zyx.shape)
        # Slicing asks it for no more than its shape, its type, and one slice after the other.
        array_zyx = cast(np.ndarray, slices)
        return replace(volume, array_zyx=array_zyx, padding=self.padding, counts=self._counts)


class StreamedSlices:
    """What slicing needs of an array (z, y, x), each slice read when it is asked for."""

    dtype = INT16

    def __init__(self, reread: Sequence[Reread], affine: np.ndarray, shape_zyx: tuple[int, ...]) -> None:
        """`reread` reads the slices, ascending; `affine` maps (column, row, slice, 1) to LPS mm."""
        self._reread = reread
        self._affine = affine
        self.shape = shape_zyx

    def __len__(self) -> int:
        """Number of slices."""
        return self.shape[0]

    def __getitem__(self, z: int) -> np.ndarray:
        """Slice z (y, x)."""
        values_ji = marked(self._reread[z](), INT16)
        one: Volume = oriented(values_ji.T[:, :, np.newaxis], self._affine)
        return one.array_zyx[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        """The slices, one after the other."""
        return (self[z] for z in range(len(self)))


def marked(pixels: Pixels, dtype: np.dtype) -> np.ndarray:
    """The slice's values with padding as the number that stands for it."""
    values = pixels.values.astype(dtype, copy=False)
    return values if pixels.padding is None else np.where(pixels.padding, dtype.type(PADDING[dtype]), values)


def reorder(stack: np.ndarray, order: Sequence[int]) -> None:
    """stack[k] = stack[order[k]] for all k at once, with one slice of extra memory."""
    source = list(order)
    for start in range(len(source)):
        saved, k = stack[start].copy(), start
        while source[k] != start:
            following = source[k]
            stack[k] = stack[following]
            source[k], k = k, following
        stack[k], source[k] = saved, k
