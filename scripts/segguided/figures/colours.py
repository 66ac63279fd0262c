"""A colour for each class that no other class has: a legend of classes in one colour would say nothing."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from matplotlib.colors import hsv_to_rgb, rgb_to_hsv, to_hex, to_rgb

# They replace colours that cannot be used. By CIELAB, each is unlike those before it, white and grey.
HUES = (
    "yellow",
    "cyan",
    "lime",
    "magenta",
    "orange",
    "crimson",
    "royalblue",
    "forestgreen",
    "mediumvioletred",
    "khaki",
    "deepskyblue",
    "lightsalmon",
    "mediumspringgreen",
    "olive",
    "darkorchid",
    "orangered",
    "violet",
)
NEAR = 0.25  # red, green and blue that differ less look alike
GOLDEN = 0.618034  # of the circle of hues: steps of this length never come near an earlier hue
GREY = 0.2  # a colour less saturated than this is lost on a grey image
Rgb = tuple[float, float, float]


def mask_colours(colours: Mapping[str, str]) -> dict[str, str]:
    """Each class's own colour; another hue where that is black, as the background is, or another class's."""
    return _unlike(colours, any)


def outline_colours(colours: Mapping[str, str]) -> dict[str, str]:
    """The same for outlines on a grey image: greys are replaced too."""
    return _unlike(colours, lambda rgb: bool(rgb_to_hsv(rgb)[1] >= GREY))


def _unlike(colours: Mapping[str, str], is_usable: Callable[[Rgb], bool]) -> dict[str, str]:
    """The colours by class, with a hue from HUES where a colour is not usable or an earlier class has it."""
    owner: dict[Rgb, str] = {}
    for name, colour in colours.items():
        owner.setdefault(to_rgb(colour), name)
    kept = {name for rgb, name in owner.items() if is_usable(rgb)}
    spare = (hue for hue in _hues() if not any(_near(to_rgb(hue), rgb) for rgb in owner))
    return {name: colour if name in kept else next(spare) for name, colour in colours.items()}


def _near(first: Rgb, second: Rgb) -> bool:
    return max(abs(a - b) for a, b in zip(first, second, strict=True)) < NEAR


def _hues() -> Iterator[str]:
    """Endless: those of HUES, then bright, pale and dark ones in turn."""
    yield from HUES
    for number in count(1):
        saturation, value = ((1, 1), (0.5, 1), (1, 0.65))[number % 3]
        yield to_hex(hsv_to_rgb((number * GOLDEN % 1, saturation, value)))
