"""Pip as it is on a machine where nothing is set up, with an index that has no package."""

from pathlib import Path

import pytest

from segguided.data.download import transfer as download


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pip without any settings but an empty index."""
    monkeypatch.setattr(download, "PAUSES_S", (0.01, 0.02, 0.03))
    for name in ("FIND_LINKS", "EXTRA_INDEX_URL", "NO_INDEX", "CERT", "TRUSTED_HOST", "PROXY"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "empty").as_uri())
