"""Names, messages and logs from elsewhere: no terminal obeys them, and no page runs them."""

import io
import json
import re

import pytest
from rich.console import Console

from segguided.status.explain import explain_failures
from segguided.status.page import page
from segguided.status.run import JournalReader
from segguided.status.terminal import rendered
from support.status_scenes import World, recorded, view

HOSTILE = {
    "colour": ("\x1b[31mred", r"\x1b[31mred"),
    "title": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "cursor": ("\x9b2J\x08\x08", r"\x9b2J\x08\x08"),
    "direction": ("\u202etxt.exe\u2066", r"\u202etxt.exe\u2066"),
    "markup": ("[/red][bold]x[link=file:///]", "[/red][bold]x[link=file:///]"),
    "script": ("</script><script>alert(1)</script>", None),
    "attribute": ('" onmouseover="alert(1)', None),
}
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hostile_run(text, folder, name):
    """A recorded run in whose log, message, patient and paths the text is."""
    run = recorded(name, folder)
    lines = run.path.read_text()
    quoted = json.dumps(text)[1:-1]
    for word in ("shapes do not match", "tiny_1", "breast-phantom", "Rows is missing"):
        lines = lines.replace(word, word + quoted)
    run.path.write_text(lines)
    return JournalReader(run.path).read()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("journal", ["failed", "killed", "interrupted", "slurm"])
def test_nothing_is_obeyed(tmp_path, capsys, name, journal):
    text, shown = HOSTILE[name]
    run = hostile_run(text, tmp_path, journal)
    scene = view(run, tmp_path, World())
    file = io.StringIO()
    Console(file=file, width=300).print(rendered(scene))
    terminal = file.getvalue()
    html = page(scene, None)
    explain_failures(run.path)
    explained = capsys.readouterr().err
    for output in (terminal, html, explained):
        assert not CONTROL.search(output)
    assert "alert(1)</script>" not in html and 'onmouseover="' not in html
    assert html.count("<script") == 1
    if journal == "failed":
        assert (shown or text) in terminal and (shown or text) in explained
        assert shown is None or shown in html
