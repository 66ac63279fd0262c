"""Outside its environment a script ends in one sentence, not in a traceback: import this before all packages.

It uses nothing but Python itself, and does nothing where the main program is not one of the scripts.
"""

import sys
from types import TracebackType

from segguided.main_program import SCRIPTS, is_our_script


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write the sentence for a package that is missing, and the traceback of any other error."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if not (SCRIPTS / package).exists() and not (SCRIPTS / f"{package}.py").exists():
            print(
                f"error: {sys.executable} lacks the package {package}; run `make env` once, then in each "
                "shell `source .venv/bin/activate`, and then this command again",
                file=sys.stderr,
            )
            return
    sys.__excepthook__(kind, error, trace)


if is_our_script():
    sys.excepthook = _explain
