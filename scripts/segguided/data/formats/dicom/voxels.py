"""The voxels of a DICOM series: held in one array or, if that is too large, read again slice by slice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.dicom.pixels import Pixels
from segguided.data.formats.orientation import oriented
from segguided.data.formats.values import count_int16
from segguided.data.formats.volume import Volume

IN_MEMORY = 512 << 20  # bytes of voxels that are held; a larger series is read twice instead
INT16 = np.dtype(np.int16)
FLOAT32 = np.dtype(np.float32)
# What marks padding in a volume: a number that no other voxel has.
PADDING = {INT16: int(np.iinfo(np.int16).min), FLOAT32: float(np.finfo(np.float32).min)}

Reread = Callable[[], Pixels]


def make_room(what: str, most: int, shape: tuple[int, int], dtype: np.dtype, is_axial: bool) -> "HeldSlices":
    """Where up to `most` slices of `shape` (rows, columns) go as they are read.

    Only axial series can be read again slice by slice. Raises ValueError, beginning with `what`, for too many
    voxels.
    """
    voxels = most * shape[0] * shape[1]
    refuse_huge(what, voxels, dtype.itemsize)
    is_large = voxels * dtype.itemsize > IN_MEMORY
    kind = CountedSlices if is_large and is_axial and dtype == INT16 else HeldSlices
    return kind(most, shape, dtype)


class FloatNeededError(Exception):
    """Some voxel of the series does not fit int16."""


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
        """The number that marks padding; None if no voxel is padding."""
        return PADDING[self.dtype] if self.padded else None

    def place(self, k: int, pixels: Pixels) -> None:
        """Take the slice as the k-th. Raises FloatNeededError."""
        if self.dtype == INT16:
            self._check_int16(pixels)
        self.padded += 0 if pixels.padding is None else int(np.count_nonzero(pixels.padding))
        self._keep(k, pixels)

    def _keep(self, k: int, pixels: Pixels) -> None:
        self._array_kji[k] = with_padding_marked(pixels, self.dtype)

    def _check_int16(self, pixels: Pixels) -> None:
        """Raise FloatNeededError if int16 cannot hold a value, or cannot keep it apart from padding."""
        if pixels.values.dtype != INT16:
            raise FloatNeededError
        is_lowest = pixels.values == PADDING[INT16]
        if pixels.padding is not None:
            is_lowest &= ~pixels.padding
        self._lowest_is_value |= bool(is_lowest.any())
        if self._lowest_is_value and (self.padded or pixels.padding is not None):
            raise FloatNeededError

    def volume(self, order: Sequence[int], affine: np.ndarray, rereads: Sequence[Reread]) -> Volume:
        """The slices in `order`; `affine` maps their (column, row, slice, 1) to LPS mm."""
        array_kji = self._array_kji[: len(order)]
        reorder(array_kji, order)
        return replace(oriented(array_kji.transpose(2, 1, 0), affine), padding=self.padding)


class CountedSlices(HeldSlices):
    """For a series too large to hold: keeps only how many voxels have each int16 value."""

    def _make_room(self) -> None:
        self._counts = np.zeros(1 << 16, np.int64)

    def _keep(self, k: int, pixels: Pixels) -> None:
        self._counts += count_int16(with_padding_marked(pixels, INT16))

    def volume(self, order: Sequence[int], affine: np.ndarray, rereads: Sequence[Reread]) -> Volume:
        """As above, but each slice is read by its entry of `rereads` when it is asked for."""
        rows, columns = self.shape_kji[1:]
        unread = np.broadcast_to(INT16.type(0), (columns, rows, len(order)))  # takes no memory
        volume = oriented(unread, affine)
        slices = StreamedSlices([rereads[k] for k in order], affine, volume.array_zyx.shape)
        # Slicing needs only its shape, its type, and one slice after another.
        array_zyx = cast(np.ndarray, slices)
        return replace(volume, array_zyx=array_zyx, padding=self.padding, counts=self._counts)


class StreamedSlices:
    """What slicing needs of an array (z, y, x); each slice is read when it is asked for."""

    dtype = INT16

    def __init__(self, rereads: Sequence[Reread], affine: np.ndarray, shape_zyx: tuple[int, ...]) -> None:
        """`rereads` read the slices, ascending; `affine` maps (column, row, slice, 1) to LPS mm."""
        self._rereads = rereads
        self._affine = affine
        self.shape = shape_zyx

    def __len__(self) -> int:
        """Number of slices."""
        return self.shape[0]

    def __getitem__(self, z: int) -> np.ndarray:
        """Slice z (y, x)."""
        values_ji = with_padding_marked(self._rereads[z](), INT16)
        return oriented(values_ji.T[:, :, np.newaxis], self._affine).array_zyx[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        """The slices, one after another."""
        return (self[z] for z in range(len(self)))


def with_padding_marked(pixels: Pixels, dtype: np.dtype) -> np.ndarray:
    """The slice's values, and in padding the number that marks it."""
    values = pixels.values.astype(dtype, copy=False)
    return values if pixels.padding is None else np.where(pixels.padding, dtype.type(PADDING[dtype]), values)


def reorder(stack: np.ndarray, order: Sequence[int]) -> None:
    """Make stack[k] what stack[order[k]] was, for all k, with one slice of extra memory."""
    source = list(order)
    # Follow each cycle of the permutation once; a slice in its place is its own source.
    for start in range(len(source)):
        saved = stack[start].copy()
        k = start
        while source[k] != start:
            following = source[k]
            stack[k] = stack[following]
            source[k] = k
            k = following
        stack[k] = saved
        source[k] = k
