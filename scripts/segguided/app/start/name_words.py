"""The words in names of files and folders that say whether they hold images or masks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segguided.listing import composed, stem_of

MASK_WORDS = re.findall(
    r"\w+",
    """mask masks label labels labelmap labelmaps seg segs segm dseg gt roi segmentation segmentations
    groundtruth ground_truth annotation annotations annot target targets labelstr labelsts maskstr masksts""",
)
IMAGE_WORDS = re.findall(
    r"\w+",
    """image images img imgs imagestr imagests scan scans volume volumes vol vols ct mr mri pet raw orig
    input inputs data bold flair t1 t2 t1c t1ce t1gd t1n t2f t2w t1w adc dwi us xray slices""",
)
NEUTRAL = ("all", "nii", "nifti", "png", "files")  # in names of folders
SPACER = r"[\s_.\-]+"
WORD = "|".join(sorted(map(re.escape, (*MASK_WORDS, *IMAGE_WORDS)), key=len, reverse=True))
PURE = "|".join(sorted((w for w in (*MASK_WORDS, *IMAGE_WORDS) if w.isalpha()), key=len, reverse=True))
TRAILING = re.compile(rf"(?P<rest>.+?){SPACER}(?P<word>{WORD})", re.IGNORECASE)
LEADING = re.compile(rf"(?P<word>{WORD}){SPACER}(?P<rest>.+)", re.IGNORECASE)
NUMBERED = re.compile(rf"(?P<word>{PURE})(?P<rest>\d.*)", re.IGNORECASE)


@dataclass(frozen=True)
class NamedFile:
    """A file, whether it holds a mask, and its path without the words that say so."""

    path: Path
    is_mask: bool
    parts: tuple[str, ...]
    words: tuple[str, ...]  # that were taken off its name

    @property
    def key(self) -> tuple[str, ...]:
        """The parts, in which capitals do not count."""
        return tuple(part.lower() for part in self.parts)


def named_file(path: Path, root: Path, endings: Sequence[str]) -> NamedFile:
    """The role of a file and what is left of its path without the words that say so."""
    folders = [composed(part) for part in path.relative_to(root).parts[:-1]]
    roles = [role for role in map(_role_of_folder, folders) if role]
    kept = [folder for folder in folders if not _role_of_folder(folder) and folder.lower() not in NEUTRAL]
    rest, words = _without_words(stem_of(composed(path.name), endings))
    is_mask = any(word in MASK_WORDS for word in words) or roles[-1:] == ["mask"]
    return NamedFile(path, is_mask, (*kept, *([rest] if rest else [])), words)


def named_by_folder(item: NamedFile, root: Path, endings: Sequence[str]) -> NamedFile:
    """The same where only folders say what is a mask, and patients are called, for example, seg_001."""
    folders = [composed(part) for part in item.path.relative_to(root).parts[:-1]]
    roles = [role for role in map(_role_of_folder, folders) if role]
    kept = [folder for folder in folders if not _role_of_folder(folder) and folder.lower() not in NEUTRAL]
    return NamedFile(
        item.path, roles[-1:] == ["mask"], (*kept, stem_of(composed(item.path.name), endings)), ()
    )


def _role_of_folder(name: str) -> str:
    """What a folder holds if all words of its name say so; empty otherwise."""
    words = [word for word in re.split(SPACER, name.lower()) if word and word not in NEUTRAL]
    if not words or not all(word in MASK_WORDS or word in IMAGE_WORDS for word in words):
        return ""
    return "mask" if any(word in MASK_WORDS for word in words) else "image"


def _without_words(stem: str) -> tuple[str, tuple[str, ...]]:
    """The name without the words of images and masks at its ends, and these words."""
    words: list[str] = []
    while True:
        if stem.lower() in MASK_WORDS or stem.lower() in IMAGE_WORDS:
            return "", (*words, stem.lower())
        match = TRAILING.fullmatch(stem) or LEADING.fullmatch(stem) or NUMBERED.fullmatch(stem)
        if not match:
            return stem, tuple(words)
        words.append(match["word"].lower())
        stem = match["rest"]
