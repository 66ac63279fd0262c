"""The settings that pip itself would use are read, and their logins are never shown."""

from pathlib import Path

import pytest

from segguided.data.download.pip_settings import read_settings
from support.pip_without_settings import unset  # noqa: F401 - a fixture for every test here


def test_pip_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    (tmp_path / "pip.conf").write_text(
        "[global]\nextra-index-url = https://a/simple\n  https://b/simple\ncert = /c.pem\n"
        "[download]\nproxy = http://u:s3cret@proxy\n[install]\nindex-url = https://never\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_TRUSTED_HOST", "h1 h2:80")
    settings = read_settings()
    assert len(settings.indexes) == 3 and settings.indexes[0].startswith("https://")
    assert settings.indexes[1:] == ("https://a/simple", "https://b/simple")
    assert settings.trusted == {"h1", "h2:80"} and settings.cert == "/c.pem"
    assert settings.proxy == "http://u:s3cret@proxy" and "s3cret" not in repr(settings)
    (tmp_path / "pip.conf").write_text("no section")
    with pytest.raises(OSError, match=r"pip's settings cannot be read"):
        read_settings()
