"""An interrupted training continues after an edit that changes no result, and only then."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from segguided.training.checkpoint import fingerprint

CODE = 'def rate(step: int) -> float:\n    """The rate."""\n    return 0.1 / step\n'


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module of the library that is loaded."""
    path = tmp_path / "rates.py"
    path.write_text(CODE)
    module = ModuleType("segguided.rates")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "segguided.rates", module)
    return path


@pytest.mark.parametrize(
    ("old", "new", "continues"),
    [("The rate.", "The learning rate.", True), ("step: int", "step : int", True), ("0.1", "0.2", False)],
    ids=["docstring", "formatting", "constant"],
)
def test_only_an_edit_that_may_change_the_result_starts_afresh(
    loaded: Path, old: str, new: str, continues: bool
) -> None:
    before = fingerprint({}, {})
    loaded.write_text(CODE.replace(old, new))
    assert (fingerprint({}, {}) == before) == continues


def test_a_module_more_starts_afresh(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint({}, {})
    monkeypatch.delitem(sys.modules, "segguided.rates")
    assert fingerprint({}, {}) != before
