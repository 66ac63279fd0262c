"""Where the voxels of an NRRD file lie in the patient: understood, absent as a whole, or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Header = Mapping[str, Any]

LPS_SIGNS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
MM_OF_UNIT = {
    **dict.fromkeys(("", "???", "none", "mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 10.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1000.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers"), 0.001),
    **dict.fromkeys(("micrometre", "micrometres"), 0.001),
}
ALONG_SPACE = ("domain", "space", "???", "none")  # kinds of axes; others run along time, colours, segments …
PLACING = ("space", "space dimension", "space directions", "space origin")
LOOSE = ("spacings", "axis mins", "axis maxs")  # of axes that are placed in no space
REMEDY = "export it with its geometry, as 3D Slicer and ITK write it"


@dataclass(frozen=True)
class Geometry:
    """What a header says of place: `layers` is the axis that runs along no direction of space, if any."""

    lps_mm: np.ndarray | None  # (4, 4) from (i, j, k, 1) to LPS mm; None where the header says nothing
    layers: int | None
    default: bool  # unit steps from the origin: what writers state that know no geometry


def geometry(header: Header) -> Geometry:
    """The geometry of a 3-D file, or of a 4-D one of which one axis is none of space.

    Raises ValueError, saying what to do, for one that is half stated, contradicts itself, or does not tell
    where the patient's left is.
    """
    directions = _directions(header)
    layers = _layers(header, directions)
    if not any(field in header for field in PLACING):
        _refuse_loose(header)
        return Geometry(None, layers, default=False)
    rows, origin = _placed(header, directions)
    _check_spacings(header, directions)
    signs = np.array(LPS_SIGNS[header["space"]])
    affine = np.eye(4)
    affine[:3, :3] = (rows * signs).T
    affine[:3, 3] = origin * signs
    identity = np.array_equal(rows, np.eye(3)) or np.array_equal(affine[:3, :3], np.diag([-1, -1, 1]))
    units_mm = _units(header)
    affine[:3] *= units_mm[:, None]
    return Geometry(affine, layers, default=identity and not origin.any())


def _directions(header: Header) -> np.ndarray | None:
    directions = header.get("space directions")
    if directions is None:
        return None
    if directions.shape != (header["dimension"], 3):
        raise ValueError(
            f"its 'space directions' are {len(directions)} vectors of {directions.shape[1]} numbers, "
            f"expected one of 3 for each of {header['dimension']} axes; {REMEDY}"
        )
    return np.asarray(directions)


def _layers(header: Header, directions: np.ndarray | None) -> int | None:
    """The one axis that has no direction in space, by its vector or else by its kind."""
    dimension, kinds = header["dimension"], [kind.lower() for kind in header.get("kinds", [])]
    if kinds and len(kinds) != dimension:
        raise ValueError(f"its header has {len(kinds)} kinds for {dimension} axes; {REMEDY}")
    by_kind = [axis for axis, kind in enumerate(kinds) if kind not in ALONG_SPACE]
    other = by_kind
    if directions is None and not kinds and dimension == 4:
        return 0  # where 3D Slicer has it; the image's grid has to fit the other three
    if directions is not None:
        other = np.flatnonzero(np.isnan(directions).all(axis=1)).tolist()
        directed = [kinds[axis] for axis in by_kind if axis not in other]
        if directed:
            raise ValueError(
                f"its header gives an axis of the kind {directed[0]} a direction in space; {REMEDY}"
            )
    if dimension - len(other) != 3 or len(other) > 1:
        raise ValueError(
            f"it is no 3-D volume, nor one with an axis of layers marked by 'space directions' or 'kinds', "
            f"got the sizes {tuple(header['sizes'])}, {len(other)} of them outside space; export one volume"
        )
    return other[0] if other else None


def _refuse_loose(header: Header) -> None:
    stated = [name for name in LOOSE if _says_something(header, name)]
    if stated:
        raise ValueError(
            f"its header has '{stated[0]}' but no 'space directions', so left and right are unknown; {REMEDY}"
        )


def _says_something(header: Header, name: str) -> bool:
    values = np.asarray(header.get(name, []), float)
    known = values[np.isfinite(values)]
    return bool((known != 1).any() if name == "spacings" else known.size)


def _placed(header: Header, directions: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of the axes in space, and the first voxel's place, in the header's own space."""
    space, origin = header.get("space"), header.get("space origin")
    if space not in LPS_SIGNS or directions is None or origin is None:
        lacking = [name for name in ("space directions", "space origin") if header.get(name) is None]
        raise ValueError(
            f"its header has {f'no {lacking[0]!r} and ' if lacking else ''}the space {space or 'not named'}; "
            "expected 'space directions' and 'space origin' in left-posterior-superior, "
            f"right-anterior-superior or left-anterior-superior, without which left and right are unknown: "
            f"{REMEDY}"
        )
    rows = directions[~np.isnan(directions).all(axis=1)]
    if np.shape(origin) != (3,) or not (np.isfinite(origin).all() and np.isfinite(rows).all()):
        raise ValueError(
            f"its 'space origin' is {np.asarray(origin).tolist()} and its 'space directions' "
            f"{rows.tolist()}; expected finite numbers, three each: {REMEDY}"
        )
    return rows, np.asarray(origin, float)


def _units(header: Header) -> np.ndarray:
    """Millimetres of a unit along each axis of the space."""
    units = [unit.strip().lower() for unit in header.get("space units", ["mm"] * 3)]
    unknown = [unit for unit in units if unit not in MM_OF_UNIT]
    if unknown or len(units) != 3:
        raise ValueError(
            f"its 'space units' are {', '.join(units)}; expected three of mm, cm, m and um: correct the "
            "header"
        )
    return np.array([MM_OF_UNIT[unit] for unit in units])


def _check_spacings(header: Header, directions: np.ndarray | None) -> None:
    """Refuse fields of axes without a space that contradict the directions beside them."""
    lengths = np.linalg.norm(np.asarray(directions), axis=1)
    spacings = np.asarray(header.get("spacings", lengths), float)
    both = np.isfinite(lengths) & np.isfinite(spacings) if len(spacings) == len(lengths) else [True]
    fits = len(spacings) == len(lengths) and np.allclose(spacings[both], lengths[both], rtol=1e-3)
    starts = [name for name in ("axis mins", "axis maxs") if _says_something(header, name)]
    units = [unit for unit in header.get("units", []) if MM_OF_UNIT.get(unit.strip().lower()) != 1]
    if not fits or starts or (units and "space units" not in header):
        name = "spacings" if not fits else [*starts, "units"][0]
        raise ValueError(
            f"its header has '{name}' beside 'space directions', and they say different things; take the "
            "wrong one out of the header"
        )
