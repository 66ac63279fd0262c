"""Digital breast phantoms: they resemble axial fat-saturated T1 MRI, but show no real patient.

Built in patient millimetres: x to the left, y to posterior, z to superior. Suffix _zyx: array axes.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.fft import fft, irfftn, rfftn
from scipy.ndimage import gaussian_filter1d

from segguided.data.datasets.phantom_vessels import grow_curves, near_curves

FIELD_MM = (150.0, 280.0, 280.0)  # z, y, x
OVERSAMPLING = 2  # in-plane, so that borders have partial volume
SKIN_MM = 3.0
SUBCUTANEOUS_MM = 9.0  # fat over the chest wall where there is no breast
MUSCLE_MM = 13.0
EDGE_OF_BREAST_MM = 10.0  # least height over the chest wall that counts as breast


@dataclass(frozen=True)
class Signals:
    """Signal of each tissue with one contrast; air has none."""

    lung: float
    fat: float
    bone: float
    skin: float
    muscle: float
    dense: float
    heart: float
    vessel: float
    lung_vessel: float


# The anatomy is the same in each. t1-fat-suppressed: like Duke; t2: fat and fluid bright, flow dark.
CONTRASTS = {
    "t1-fat-suppressed": Signals(0.05, 0.16, 0.22, 0.42, 0.38, 0.5, 0.45, 1.0, 0.3),
    "t2": Signals(0.04, 0.8, 0.5, 0.35, 0.18, 0.45, 0.12, 0.06, 0.1),
}

Bool = np.ndarray
Float = np.ndarray


@dataclass(frozen=True)
class Phantom:
    """One patient's image (uint16) and masks (bool), all (z, y, x), and the affine from (x, y, z) to LPS mm.

    The masks overlap: vessels and dense tissue lie in the breast, and some vessels pass through dense tissue.
    """

    image_zyx: np.ndarray
    breast_zyx: Bool
    vessels_zyx: Bool
    dense_zyx: Bool
    affine: np.ndarray

    @property
    def labels_zyx(self) -> np.ndarray:
        """0 background, 1 breast, 2 vessels, 3 dense (fibroglandular) tissue; dense wins over vessels."""
        labels = self.breast_zyx.astype(np.uint8)
        labels[self.vessels_zyx] = 2
        labels[self.dense_zyx] = 3
        return labels


@dataclass(frozen=True)
class _Breast:
    """Outline of one breast over the chest wall."""

    x: float  # centre
    z: float
    half_width: float
    half_height: float
    projection: float
    ptosis: float  # 0…1: how much fuller the lower half is
    squareness: float  # exponent of the outline
    nipple_x: float

    def rise(self, x: Float, z: Float) -> Float:
        """Height of the skin over the chest wall's fat, in mm."""
        up = (z - self.z) / self.half_height
        up = np.clip(up + 0.45 * self.ptosis * (1 - np.clip(up, -1, 1) ** 2), -1, 1)
        girth = (1 - up**2) ** 0.4
        across = np.abs(x - self.x) / np.maximum(self.half_width * girth, 1e-3)
        profile = np.clip(1 - across**self.squareness, 0, None) ** 0.62
        nipple = 6 * np.exp(-((x - self.nipple_x) ** 2 + (z - self.nipple_z) ** 2) / (2 * 5.5**2))
        return np.where(profile > 0, self.projection * profile * girth + nipple, 0)

    @property
    def nipple_z(self) -> float:
        """Height of the nipple; ptosis lowers it."""
        return self.z - 0.4 * self.ptosis * self.half_height


@dataclass(frozen=True)
class _Grid:
    """Coordinates (mm) of an oversampled volume, broadcastable to its shape."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    z: Float
    y: Float
    x: Float


def make_phantom(
    patient: str,
    seed: int,
    size: int,
    slices: int,
    contrast: str = "t1-fat-suppressed",
    channel: int = 0,
) -> Phantom:
    """The phantom of this patient: size × size pixels, `slices` axial slices from feet to head.

    Its random numbers depend on (seed, patient) only: each `contrast` (of CONTRASTS) shows the same anatomy.
    A `channel` of an image, counted from 1, has scanner noise of its own.
    """
    tissue = CONTRASTS[contrast]
    digest = hashlib.sha256(f"{seed}/{patient}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    grid = _grid(size, slices)
    breasts = _breasts(rng)
    depth, height = _surface(rng, grid, breasts)
    wall = depth - height - SUBCUTANEOUS_MM  # mm behind the chest wall's front
    breast = (depth > SKIN_MM) & (wall < 0) & (height > EDGE_OF_BREAST_MM)
    vessels, buried = _vessels(rng, grid, breasts, breast & (depth > SKIN_MM + 1.5) & (wall < -2))
    dense = _dense(rng, grid, breasts, breast & (depth > SKIN_MM + 5) & (wall < -6)) & ~vessels
    signal = _background(rng, grid, depth, wall, tissue)
    signal[vessels | buried] = tissue.vessel
    signal[dense] = (tissue.dense * rng.uniform(0.92, 1.08) * (1 + 0.09 * _noise(rng, grid, 4)))[dense]
    scanner = np.random.default_rng([channel, *digest[:8]]) if channel else rng
    image = _acquired(scanner, grid, _reduced(signal))
    masks = [_reduced(mask) >= 0.5 for mask in (breast, vessels | buried, dense)]
    return Phantom(image, masks[0], masks[1], masks[2], _affine(size, slices))


def _grid(size: int, slices: int) -> _Grid:
    shape = (slices, OVERSAMPLING * size, OVERSAMPLING * size)
    spacing = tuple(field / n for field, n in zip(FIELD_MM, shape, strict=True))
    z, y, x = ((np.arange(n) + 0.5) * s - n * s / 2 for n, s in zip(shape, spacing, strict=True))
    return _Grid(shape, (spacing[0], spacing[1], spacing[2]), z[:, None, None], y[:, None], x)


def _affine(size: int, slices: int) -> np.ndarray:
    spacing = np.array(FIELD_MM[::-1]) / (size, size, slices)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (spacing - FIELD_MM[::-1]) / 2
    return affine.round(6)  # what DICOM's decimal strings hold


def _reduced(array_zyx: np.ndarray) -> Float:
    slices, height, width = array_zyx.shape
    n = OVERSAMPLING
    reduced: Float = array_zyx.reshape(slices, height // n, n, width // n, n).mean(
        axis=(2, 4), dtype=np.float64
    )
    return reduced


def _noise(rng: np.random.Generator, grid: _Grid, scale_mm: float) -> Float:
    """Smooth noise with mean 0 and standard deviation 1."""
    noise = _smoothed(rng.standard_normal(grid.shape), [scale_mm / s for s in grid.spacing])
    return np.asarray((noise - noise.mean()) / noise.std())


def _smoothed(array_zyx: Float, sigmas: list[float]) -> Float:
    """`scipy.ndimage.gaussian_filter` with mode "wrap", in a fifth of the time where the Gaussian is wide."""
    spectrum = rfftn(array_zyx)
    for axis, (n, sigma) in enumerate(zip(array_zyx.shape, sigmas, strict=True)):
        impulse = np.zeros(n)
        impulse[0] = 1
        response = fft(gaussian_filter1d(impulse, sigma, mode="wrap")).real[: spectrum.shape[axis]]
        spectrum *= np.expand_dims(response, [other for other in range(3) if other != axis])
    return np.asarray(irfftn(spectrum, array_zyx.shape))


def _breasts(rng: np.random.Generator) -> tuple[_Breast, _Breast]:
    """Right and left breast of one patient: alike, but not equal."""
    scale = rng.uniform(0.72, 1.25)
    ptosis = rng.uniform(0.1, 1.0)
    squareness = rng.uniform(1.9, 3.2)
    distance = rng.uniform(62, 69)  # of a breast's centre from the middle
    right = _breast(rng, -distance, scale, ptosis, squareness)
    left = _breast(rng, distance, scale, ptosis, squareness)
    return right, left


def _breast(rng: np.random.Generator, x: float, scale: float, ptosis: float, squareness: float) -> _Breast:
    asymmetry = rng.uniform(0.88, 1.12)
    return _Breast(
        x=x + rng.uniform(-3, 3),
        z=rng.uniform(-5, 5),
        half_width=57 * np.sqrt(scale) * asymmetry,
        half_height=68 * np.sqrt(scale) * rng.uniform(0.95, 1.05),
        projection=82 * scale * asymmetry,
        ptosis=ptosis * rng.uniform(0.8, 1.2),
        squareness=squareness,
        nipple_x=x * rng.uniform(0.98, 1.18),
    )


def _surface(rng: np.random.Generator, grid: _Grid, breasts: tuple[_Breast, _Breast]) -> tuple[Float, Float]:
    """Depth below the skin, and height of the breast over the chest wall's fat at its (x, z), in mm."""
    # Bent coordinates let the outline bulge and undulate; a height over (x, z) alone could not.
    outwards = 1 + rng.uniform(-0.0005, 0.0035) * np.clip(-grid.y, 0, None)  # breasts lean apart
    x = grid.x / outwards + 3.5 * _noise(rng, grid, 28)
    y = grid.y + 2.5 * _noise(rng, grid, 25)
    height = np.maximum(breasts[0].rise(x, grid.z), breasts[1].rise(x, grid.z))
    front = rng.uniform(-6, 8) + rng.uniform(45, 70) * np.abs(x / 140) ** rng.uniform(2.0, 2.6)
    front += 5 * np.exp(-((x / 16) ** 2))  # the sternum's furrow
    return y - (front - SUBCUTANEOUS_MM - height), height


def _vessels(
    rng: np.random.Generator, grid: _Grid, breasts: tuple[_Breast, _Breast], room: Bool
) -> tuple[Bool, Bool]:
    """Vessels inside `room`: those around which dense tissue leaves room, and those that pass through it."""
    voxels = np.argwhere(room).T
    points_mm = np.column_stack(
        [axis.ravel()[i] for axis, i in zip((grid.z, grid.y, grid.x), voxels, strict=True)]
    )
    rasterised = np.zeros((2, *grid.shape), dtype=bool)
    for kind, roots in enumerate((8, 1)):
        curves = []
        for breast in breasts:
            room_mm = points_mm[points_mm[:, 2] * breast.x > 0]
            nipple = np.array([breast.nipple_z, room_mm[:, 1].min(), breast.nipple_x])
            curves.append(grow_curves(rng, room_mm, nipple, roots))
        rasterised[kind][tuple(voxels)] = near_curves(points_mm, np.concatenate(curves), grid.spacing[0])
    return rasterised[0], rasterised[1]


def _dense(rng: np.random.Generator, grid: _Grid, breasts: tuple[_Breast, _Breast], room: Bool) -> Bool:
    """Fibroglandular tissue: thresholded smooth noise that thickens towards the nipple."""
    share = rng.uniform(0.16, 0.55)  # of the breast's inside; fatty to extremely dense
    texture = rng.uniform(0.6, 1.0) * _noise(rng, grid, 11) + 0.35 * _noise(rng, grid, 5)
    score = np.full(grid.shape, -np.inf)
    for breast in breasts:
        across = (grid.x - breast.nipple_x) / (0.75 * breast.half_width)
        along = (grid.z - breast.nipple_z) / (0.9 * breast.half_height)
        score = np.maximum(score, 1.6 - 1.5 * (across**2 + along**2))
    score = score + texture
    return np.asarray(room & (score > np.quantile(score[room], 1 - share)))


def _background(rng: np.random.Generator, grid: _Grid, depth: Float, wall: Float, tissue: Signals) -> Float:
    """Signal of skin, fat, chest wall and thorax."""
    texture = _noise(rng, grid, 3)
    fat = tissue.fat * rng.uniform(0.7, 1.3) * (1 + 0.12 * texture)  # suppression never works equally well
    signal = np.where(depth > 0, fat, 0)
    signal[(depth > 0) & (depth < SKIN_MM)] = tissue.skin
    muscle = (wall > 0) & (np.abs(grid.x) > 9)
    signal[muscle] = (tissue.muscle * (1 + 0.1 * texture))[muscle]
    ribs = np.cos(2 * np.pi * (grid.z + 0.45 * np.abs(grid.x) + rng.uniform(0, 24)) / 24) > 0.35
    signal[(wall > MUSCLE_MM - 4) & (wall < MUSCLE_MM + 5) & ribs] = tissue.bone
    inside = wall > MUSCLE_MM + 4
    signal[inside] = (tissue.lung * (1.3 + 0.5 * texture))[inside]
    heart = inside & _heart(rng, grid, wall)
    signal[heart] = (tissue.heart * (1 + 0.15 * _noise(rng, grid, 9)))[heart]
    bright = inside & ~heart & (_noise(rng, grid, 2.5) > 2.3)
    signal[bright] = tissue.lung_vessel
    return signal


def _heart(rng: np.random.Generator, grid: _Grid, wall: Float) -> Bool:
    """The heart and great vessels: to the patient's left and towards the feet."""
    low = np.clip((45 - grid.z) / 90, 0, 1)
    half_width = 24 + 34 * low
    x = (grid.x - 22 * low - rng.uniform(-4, 8)) / half_width
    y = (wall - 60 - rng.uniform(-5, 8)) / 44
    return np.asarray(x**2 + y**2 + 0.12 * _noise(rng, grid, 12) < 1)


def _acquired(rng: np.random.Generator, grid: _Grid, signal: Float) -> np.ndarray:
    """What the scanner stores: coil sensitivity, smooth bias, Rician noise and an arbitrary scale."""
    slices, height, width = signal.shape
    bias = _reduced(np.exp(0.08 * _noise(rng, grid, 60) - 0.0024 * (grid.y + 40)))
    noise = rng.uniform(0.016, 0.028) * rng.standard_normal((2, slices, height, width))
    magnitude = np.hypot(signal * bias + noise[0], noise[1])
    scale = rng.uniform(350, 1500)
    stored = np.rint(np.clip(scale * magnitude, 0, 4095))  # 12 bit
    return np.asarray(stored, dtype=np.uint16)
