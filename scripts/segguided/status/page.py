"""Shows a view as one HTML page, which needs no network, reloads itself and says if it is out of date."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from segguided.shown import printable
from segguided.status import facts, words
from segguided.status.curve import svg
from segguided.status.view import View

LEAST_RELOAD_SECONDS = 2
MOST_ROWS = 60


def _finalize(value: object) -> object:
    """Text without what no page shows; markup of our own stays as it is."""
    return printable(value) if type(value) is str else value


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    finalize=_finalize,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update(
    facts=facts,
    words=words,
    curve=svg,
    most=MOST_ROWS,
)


def page(view: View, watch: float | None) -> str:
    """The page; it reloads itself where it is rewritten every `watch` seconds."""
    reload = None if watch is None else max(LEAST_RELOAD_SECONDS, round(watch))
    return _ENVIRONMENT.get_template("page.html.j2").render(view=view, reload=reload)
