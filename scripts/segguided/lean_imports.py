"""A job imports MONAI without packages that MONAI needs only for functions which no job calls.

`import monai` loads every part of MONAI, for whichever part is wanted, and with them all of its optional
packages that are installed: two thirds of its time. MONAI needs torch and NumPy, and runs without the rest.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

from segguided.main_program import is_our_script

OPTIONAL = ("matplotlib", "nibabel", "pandas", "scipy", "scipy.stats")


@contextmanager
def hidden(packages: Sequence[str]) -> Iterator[None]:
    """Imports in this block find none of the packages, as if they were not installed.

    Those that were imported before stay.
    """
    absent = [name for name in packages if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment] # Python's own mark: an import raises ModuleNotFoundError
    try:
        yield
    finally:
        for name in absent:
            if sys.modules.get(name, name) is None:
                del sys.modules[name]


class _LeanLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Execute the module without the optional packages; where it cannot do without them, with them."""
        empty = dict(vars(module))
        try:
            with hidden(OPTIONAL):
                super().exec_module(module)
        except ImportError:
            for name in [name for name in sys.modules if name.startswith(f"{self.name}.")]:
                del sys.modules[name]
            vars(module).clear()
            vars(module).update(empty)
            super().exec_module(module)


class LeanFinder(MetaPathFinder):
    """Finds MONAI where Python does, and has it loaded without its optional packages."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of `monai`; None for any other name, which the next finder then looks for."""
        if name != "monai":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and type(spec.loader) is SourceFileLoader:
            spec.loader = _LeanLoader(name, spec.loader.path)
        return spec


def import_leanly() -> None:
    """Where one of our scripts owns the process, MONAI is from now on loaded without its optional packages.

    Whoever uses this library in a program of their own may want the rest of MONAI.
    """
    if is_our_script() and LeanFinder not in sys.meta_path:
        sys.meta_path.insert(0, LeanFinder)
