"""Names and titles of labels: from a dataset.json (nnU-Net, Decathlon) or a table of labels, else label_N."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segguided.config.checks.names import check_class
from segguided.config.checks.texts import ENDS_SCRIPT, usable_title
from segguided.config.reserved import FULL, MACRO
from segguided.listing import composed

LARGEST = 1 << 20  # bytes of a file of names
JSON_NAMES = ("dataset.json",)
TABLE = re.compile(
    r"(.*[_\-. ])?(labels?|classes|dseg|names|label[_-]?map|lut)\.(txt|tsv|csv|ctbl)", re.IGNORECASE
)
ITK_SNAP = re.compile(r'\s*(\d+)\s+(?:[\d.]+\s+){6}"(.+)"\s*')
NUMBER_FIRST = re.compile(r'\s*"?(\d+)"?\s*[\s,;:=\t]\s*"?([^\d\s,;"][^,;\t"]*)"?.*')
NAME_FIRST = re.compile(r'\s*"?([^\d\s,;"#][^,;\t"]*?)"?\s*[,;:=\t]\s*"?(\d+)"?.*')
CT_WORDS = ("ct", "computed tomography", "cect", "ncct")


Fields = dict[str, str]  # of a class in the configuration: its name, and its title where that says more


def find_names(texts: Sequence[Path]) -> tuple[dict[int, Fields], Path | None]:
    """Name and title of labels in the first file that states some, and that file; none where none does."""
    for path in sorted(texts, key=lambda path: (path.name.lower() not in JSON_NAMES, len(path.parts), path)):
        names: dict[int, str] = {}
        if path.name.lower() in JSON_NAMES:
            names = _of_json(_json(path))
        elif TABLE.fullmatch(path.name):
            names = dict(_of_table(_text(path)))
        if names:
            return named({label: name for label, name in names.items() if label}), path
    return {}, None


def stated_modality(texts: Sequence[Path]) -> str:
    """CT or another modality as a dataset.json states it for its first channel; empty where none does."""
    for path in texts:
        if path.name.lower() in JSON_NAMES:
            content = _json(path)
            channels = content.get("channel_names") or content.get("modality")
            if isinstance(channels, Mapping) and channels:
                first = str(channels.get("0", next(iter(channels.values()))))
                return "CT" if first.lower() in CT_WORDS else first
    return ""


def class_fields(label: int, names: Mapping[int, Fields]) -> Fields:
    """Name and title of the label; the name label_N where no file names it."""
    return names.get(label, {"name": f"label_{label}"})


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            return ""
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def _json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _of_json(content: Mapping[str, object]) -> dict[int, str]:
    """`labels` by number (Decathlon) or by name (nnU-Net); regions of several labels name no class."""
    labels = content.get("labels")
    if not isinstance(labels, Mapping):
        return {}
    names: dict[int, str] = {}
    for key, value in labels.items():
        if str(key).isdecimal() and isinstance(value, str):
            names[int(key)] = value
        elif isinstance(value, int) or str(value).isdecimal():
            names[int(value)] = str(key)
    return names


def _of_table(text: str) -> Iterator[tuple[int, str]]:
    for line in text.splitlines():
        match = ITK_SNAP.fullmatch(line) or NUMBER_FIRST.fullmatch(line)
        if match:
            yield int(match[1]), re.sub(r"(\s+[\d.]+){3,}\s*$", "", match[2]).strip()
        elif found := NAME_FIRST.fullmatch(line):
            yield int(found[2]), found[1].strip()


def named(texts: Mapping[int, str]) -> dict[int, Fields]:
    """The texts as the configuration takes them: names of letters, digits, _ and -, each once.

    A text that is not its name, such as `left kidney`, becomes the title. A text without letters has none.
    """
    names: dict[int, str] = {}
    for label, text in sorted(texts.items()):
        word = safe_class(text)
        if word:
            names[label] = f"{word}_{label}" if word in names.values() else word
    fields = {label: {"name": name} for label, name in names.items()}
    taken = set(names.values())
    for label in names:
        title = _title(texts[label])
        if title and title not in taken:
            fields[label]["title"] = title
            taken.add(title)
    return fields


def _title(text: str) -> str:
    """The text as a title; empty where the configuration would refuse it."""
    if ENDS_SCRIPT.search(text):
        return ""
    try:
        return check_class(str(usable_title(" ".join(text.split()))))
    except ValueError:
        return ""


def safe_class(name: str) -> str:
    """The name of a class as the configuration takes it; empty where no letter or digit is left."""
    word = re.sub(r"[^\w-]+", "_", composed(name)).strip("_-")
    return f"{word}_class" if word.lower() in (MACRO, FULL) else word
