"""NRRD orientation: the affine of a header from voxels to LPS mm; incomplete statements are refused."""

from dataclasses import dataclass

import numpy as np

from segguided.data.formats.nrrd_header import NrrdHeader

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
SPACE_KINDS = ("domain", "space", "???", "none")  # of axes; others run along time, colours, segments …
PLACING = ("space", "space dimension", "space directions", "space origin")
SPACELESS = ("spacings", "axis mins", "axis maxs")  # of axes that are placed in no space
REMEDY = "export it with its geometry, as 3D Slicer and ITK write it"


@dataclass(frozen=True)
class Orientation:
    """Where a header says that the voxels are."""

    lps_affine: np.ndarray | None  # (4, 4) from (i, j, k, 1) to LPS mm; None if the header says nothing
    layer_axis: int | None  # the axis that has no direction in space, if there is one
    is_default: bool  # unit steps from the origin: what writers state if they know no geometry


def read_orientation(header: NrrdHeader) -> Orientation:
    """The orientation of a 3-D file, or of a 4-D file with one axis that has no direction in space.

    Raises ValueError, saying what to do, if it is incomplete, contradicts itself, or does not say where the
    patient's left is.
    """
    directions = _directions(header)
    layer_axis = _layer_axis(header, directions)
    if not any(field in header for field in PLACING):
        _refuse_spaceless(header)
        return Orientation(None, layer_axis, is_default=False)
    axes, origin = _axes_and_origin(header, directions)
    _check_spacings(header, directions)
    signs = np.array(LPS_SIGNS[header["space"]])
    affine = np.eye(4)
    affine[:3, :3] = (axes * signs).T
    affine[:3, 3] = origin * signs
    has_unit_steps = np.array_equal(axes, np.eye(3)) or np.array_equal(affine[:3, :3], np.diag([-1, -1, 1]))
    units_mm = _units_mm(header)
    affine[:3] *= units_mm[:, None]
    return Orientation(affine, layer_axis, is_default=has_unit_steps and not origin.any())


def _directions(header: NrrdHeader) -> np.ndarray | None:
    """The vector (3,) of each axis, NaN for an axis that has none; None if the header has no directions."""
    directions = header.get("space directions")
    if directions is None:
        return None
    if directions.shape != (header["dimension"], 3):
        raise ValueError(
            f"its 'space directions' are {len(directions)} vectors of {directions.shape[1]} numbers, "
            f"expected one of 3 for each of {header['dimension']} axes; {REMEDY}"
        )
    return np.asarray(directions)


def _layer_axis(header: NrrdHeader, directions: np.ndarray | None) -> int | None:
    """The only axis that has no direction in space, by its vector or else by its kind."""
    dimension = header["dimension"]
    kinds = [kind.lower() for kind in header.get("kinds", [])]
    if kinds and len(kinds) != dimension:
        raise ValueError(f"its header has {len(kinds)} kinds for {dimension} axes; {REMEDY}")
    outside = [axis for axis, kind in enumerate(kinds) if kind not in SPACE_KINDS]
    if directions is None and not kinds and dimension == 4:
        return 0  # where 3D Slicer has it; the other three must fit the image's grid
    if directions is not None:
        without_vector = np.flatnonzero(np.isnan(directions).all(axis=1)).tolist()
        _refuse_directed(kinds, sorted(set(outside) - set(without_vector)))
        outside = without_vector
    if dimension - len(outside) != 3 or len(outside) > 1:
        raise ValueError(
            f"it is no 3-D volume, nor one with an axis of layers marked by 'space directions' or 'kinds', "
            f"got the sizes {tuple(header['sizes'])}, {len(outside)} of them outside space; export one volume"
        )
    return outside[0] if outside else None


def _refuse_directed(kinds: list[str], axes: list[int]) -> None:
    """Refuse axes that have a direction in space although their kind, such as time, has none."""
    if axes:
        raise ValueError(
            f"its header gives an axis of the kind {kinds[axes[0]]} a direction in space; {REMEDY}"
        )


def _refuse_spaceless(header: NrrdHeader) -> None:
    stated = [name for name in SPACELESS if _says_something(header, name)]
    if stated:
        raise ValueError(
            f"its header has '{stated[0]}' but no 'space directions', so left and right are unknown; {REMEDY}"
        )


def _says_something(header: NrrdHeader, name: str) -> bool:
    values = np.asarray(header.get(name, []), float)
    known = values[np.isfinite(values)]
    return bool((known != 1).any() if name == "spacings" else known.size)


def _axes_and_origin(header: NrrdHeader, directions: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The axes' vectors (3, 3), one a row, and the first voxel's place (3,), in the header's own space."""
    space = header.get("space")
    origin = header.get("space origin")
    if space not in LPS_SIGNS or directions is None or origin is None:
        lacking = [name for name in ("space directions", "space origin") if header.get(name) is None]
        raise ValueError(
            f"its header has {f'no {lacking[0]!r} and ' if lacking else ''}the space {space or 'not named'}; "
            "expected 'space directions' and 'space origin' in left-posterior-superior, "
            f"right-anterior-superior or left-anterior-superior, without which left and right are unknown: "
            f"{REMEDY}"
        )
    axes = directions[~np.isnan(directions).all(axis=1)]
    if np.shape(origin) != (3,) or not (np.isfinite(origin).all() and np.isfinite(axes).all()):
        raise ValueError(
            f"its 'space origin' is {np.asarray(origin).tolist()} and its 'space directions' "
            f"{axes.tolist()}; expected finite numbers, three each: {REMEDY}"
        )
    return axes, np.asarray(origin, float)


def _units_mm(header: NrrdHeader) -> np.ndarray:
    """Millimetres of a unit along each axis of the space, shape (3,)."""
    units = [unit.strip().lower() for unit in header.get("space units", ["mm"] * 3)]
    unknown = [unit for unit in units if unit not in MM_OF_UNIT]
    if unknown or len(units) != 3:
        raise ValueError(
            f"its 'space units' are {', '.join(units)}; expected three of mm, cm, m and um: correct the "
            "header"
        )
    return np.array([MM_OF_UNIT[unit] for unit in units])


def _check_spacings(header: NrrdHeader, directions: np.ndarray | None) -> None:
    """Refuse fields of axes without a space that contradict the directions beside them."""
    contradicting = [] if _spacings_fit(header, directions) else ["spacings"]
    contradicting += [name for name in ("axis mins", "axis maxs") if _says_something(header, name)]
    other_units = [unit for unit in header.get("units", []) if MM_OF_UNIT.get(unit.strip().lower()) != 1]
    if other_units and "space units" not in header:
        contradicting.append("units")
    if contradicting:
        raise ValueError(
            f"its header has '{contradicting[0]}' beside 'space directions', and they say different things; "
            "take the wrong one out of the header"
        )


def _spacings_fit(header: NrrdHeader, directions: np.ndarray | None) -> bool:
    """Whether the spacings, if there are any, are the lengths of the directions."""
    lengths = np.linalg.norm(np.asarray(directions), axis=1)
    spacings = np.asarray(header.get("spacings", lengths), float)
    if len(spacings) != len(lengths):
        return False
    both = np.isfinite(lengths) & np.isfinite(spacings)
    return np.allclose(spacings[both], lengths[both], rtol=1e-3)
