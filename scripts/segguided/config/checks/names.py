"""Names of classes, colours and files in the configuration."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from string import Formatter

from segguided.config.reserved import FULL, MACRO

# Matplotlib's names (of CSS 4, of Tableau, and its own). They are copied, because importing matplotlib takes
# as long as all other parsing.
LETTERS = "bgrcmykw"
TABLEAU = ("blue", "orange", "green", "red", "purple", "brown", "pink", "gray", "olive", "cyan", "grey")
WORD = re.compile(r"\w+")
CSS = WORD.findall("""
aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown
burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan
darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid
darkred darksalmon darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet
deeppink deepskyblue dimgray dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro
ghostwhite gold goldenrod gray green greenyellow grey honeydew hotpink indianred indigo ivory khaki
lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow
lightgray lightgreen lightgrey lightpink lightsalmon lightseagreen lightskyblue lightslategray
lightslategrey lightsteelblue lightyellow lime limegreen linen magenta maroon mediumaquamarine mediumblue
mediumorchid mediumpurple mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred
midnightblue mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid
palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum powderblue purple
rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen seashell sienna silver
skyblue slateblue slategray slategrey snow springgreen steelblue tan teal thistle tomato turquoise violet
wheat white whitesmoke yellow yellowgreen
""")
NAMED = frozenset((*CSS, *(f"tab:{name}" for name in TABLEAU)))
HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
NUMBERED = re.compile(r"C[0-9]+")  # the n-th colour of matplotlib's cycle
GREY = re.compile(r"0(\.[0-9]+)?|1(\.0+)?|\.[0-9]+")


def check_color(color: str) -> str:
    """The same colour. Raises ValueError for one that matplotlib does not know, or that is transparent."""
    if _is_known_color(color):
        return color
    close = difflib.get_close_matches(color.lower(), sorted(NAMED), 1)
    guess = f"did you mean {close[0]}? " if close else ""
    raise ValueError(
        f"'{color}' is no colour; {guess}write a name that matplotlib knows, such as orange or tab:blue, or "
        "#rrggbb in quotes"
    )


def _is_known_color(color: str) -> bool:
    if len(color) == 1 and color in LETTERS:
        return True
    if color.lower() in NAMED or any(form.fullmatch(color) for form in (HEX, NUMBERED, GREY)):
        return True
    return color.startswith("xkcd:") and _is_of_xkcd(color)


def _is_of_xkcd(color: str) -> bool:
    from matplotlib.colors import XKCD_COLORS  # noqa: PLC0415 - 949 names that few people write

    return color.lower() in XKCD_COLORS


def check_class(name: str) -> str:
    """The same name. Raises ValueError for one with another meaning in tables and figures."""
    if name.lower() in (MACRO, FULL):
        raise ValueError(
            f"'{name}' has another meaning beside the classes, in tables and figures; rename the class"
        )
    return name


def check_inside(path: str, what: str) -> str:
    """The same path. Raises ValueError, with `what` first, for a path that leads out of its folder."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith(("/", "~")) or ".." in parts:
        raise ValueError(
            f"{what} '{path[:100]}' leads out of its folder, or to no file; name a file in the folder, "
            "without .. and without / first"
        )
    if not path.isprintable():
        shown = ascii(path[:100])
        raise ValueError(f"{what} {shown} holds invisible characters; rename the file")
    return path


def check_cells(row: Mapping[str, str], columns: Sequence[str], place: str) -> None:
    """Raise ValueError where a cell that becomes part of a path is empty or leads out of its folder."""
    for column in columns:
        if not row[column]:
            raise ValueError(
                f"{place}: the column {column} is empty, but names the patient's file; fill it in"
            )
        check_inside(row[column], f"{place}: the column {column} with")


def placeholders(pattern: str) -> set[str]:
    """The names in the braces of a file name pattern. Raises ValueError for what is no pattern."""
    try:
        parts = list(Formatter().parse(pattern))
        for _, _, spec, _ in parts:
            format("", spec or "")  # cells are text, so that a format such as {patient:03d} fails
        return {name for _, name, _, _ in parts if name is not None}
    except ValueError as error:
        raise ValueError(
            f"'{pattern}' is no file name pattern ({error}); write a column as {{patient}}"
        ) from None
