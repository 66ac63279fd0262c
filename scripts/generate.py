"""Images for masks of your own: the command `generate`, from a checkout in which nothing is installed."""

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.app.command_line import command_line, generate
from segguided.cli import run

__all__ = ["command_line", "generate"]

if __name__ == "__main__":
    run(generate, command_line())
