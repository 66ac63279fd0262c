"""A journal of another shape, or one that a disk damaged, stops no page: its lines are passed over."""

import io
import json
import random

import pytest
from rich.console import Console

from segguided.status.follow import Watcher
from segguided.status.journal import FOLDER
from segguided.status.page import page
from segguided.status.terminal import rendered
from support.status_scenes import RECORDED

OTHERS = (None, "text", 7, -1.5, [], [[1]], {}, {"a": {}}, True)


def shown(folder, content: bytes) -> str:
    """What the terminal and the page show of a folder with this journal."""
    journal = folder / FOLDER / "2026-01-01T000000.000000-1.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.write_bytes(content)
    view = Watcher(folder).look()
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(rendered(view))
    return console.export_text() + page(view, None)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n", b"[]\n", b"7\n", b"null\n", b"{}\n", b'{"event": "begin"}\n', b'{"event": []}\n'),
        *(b'{"event": "job"}\n', b"\0" * 99 + b"\n", b"\xff\xfe{}\n", b"[" * 9999 + b"\n", b'{"time": 1}\n'),
        *(b'{"event": "begin", "time": "yesterday", "pid": "x"}\n', b'{"event": "read"}\n'),
    ],
)
def test_files_that_are_no_journal(tmp_path, content):
    assert shown(tmp_path, content)


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_value_of_another_kind_missing_or_a_flipped_bit(tmp_path, path):
    lines = path.read_bytes().splitlines(keepends=True)
    draw = random.Random(path.stem)
    for _ in range(12):
        number = draw.randrange(len(lines))
        entry = json.loads(lines[number])
        name = draw.choice(sorted(entry))
        entry[name] = draw.choice(OTHERS)
        if draw.random() < 0.3:
            del entry[name]
        changed = [*lines[:number], json.dumps(entry).encode() + b"\n", *lines[number + 1 :]]
        assert shown(tmp_path, b"".join(changed)), (number, name)
        content = bytearray(b"".join(lines))
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        assert shown(tmp_path, bytes(content))
