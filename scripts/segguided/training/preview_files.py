"""Where the preview images of a training are. Without torch, because status pages use it."""

from pathlib import Path

PREVIEWS = "previews"  # the folder beside a training's output
PATTERN = "step*.png"


def preview_name(step: int) -> str:
    """The name of the file drawn after `step`; in the order of names, steps rise."""
    return f"step{step:08d}.png"


def newest_preview(run: Path) -> Path | None:
    """The preview of the latest step beside the weights of a run; None if there is none."""
    return max((run / PREVIEWS).glob(PATTERN), default=None)
