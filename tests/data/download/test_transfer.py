"""Downloads from a local HTTPS server ask for missing bytes only, and every fault ends in a sentence."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segguided.data.download import answers
from segguided.data.download import transfer as module
from segguided.data.download.transfer import download
from support.loopback import Server, deaf, serving

DATA = np.random.default_rng(0).bytes(1_500_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.02, 0.03))
    with serving(monkeypatch) as server:
        server.files["/a.gz"] = DATA
        yield server


def test_a_file_arrives_whole_in_one_request(server: Server, tmp_path: Path) -> None:
    download(f"{server.url}/a.gz", tmp_path / "new" / "part")
    assert (tmp_path / "new" / "part").read_bytes() == DATA
    assert server.ranges == [None]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["part"]


def test_an_answer_shorter_than_asked_for_is_continued(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(DATA[:400_000])
    server.faults = ["short", "short"]
    download(f"{server.url}/a.gz", part)
    assert part.read_bytes() == DATA
    assert server.ranges == ["bytes=400000-", "bytes=950000-", "bytes=1225000-"]


def test_only_the_rest_of_a_partial_file_is_asked_for(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(DATA[:400_000])
    download(f"{server.url}/a.gz", part)
    assert part.read_bytes() == DATA
    assert server.ranges == ["bytes=400000-"]


@pytest.mark.parametrize("faults", [[500], [503, 429], ["cut"], [502, "cut", 500], ["cut"] * 6])
def test_passing_faults_are_tried_again(server: Server, tmp_path: Path, faults: list[int | str]) -> None:
    server.faults = list(faults)
    download(f"{server.url}/a.gz", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert len(server.seen) == len(faults) + 1
    asked = [asked for asked in server.ranges if asked]
    assert len(asked) >= faults.count("cut")
    starts = [int(header[6:-1]) for header in asked]
    assert starts == sorted(starts)
    if faults[-1] == "cut":
        assert starts[-1] > len(DATA) * (1 - 0.6 ** faults.count("cut"))


def refusal(url: str, part: Path) -> str:
    with pytest.raises(OSError) as caught:
        download(url, part)
    message = str(caught.value)
    assert message.startswith(f"{url}: ") and "\n" not in message
    return message.removeprefix(f"{url}: ")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, "the server has no such file (404)"),
        (403, "the server refuses it (403)"),
        (401, "the server refuses it (401)"),
        (418, "the server gave an unexpected answer (418)"),
    ],
)
def test_lasting_refusals_are_asked_once(server: Server, tmp_path: Path, status: int, expected: str) -> None:
    server.faults = [status]
    assert refusal(f"{server.url}/a.gz", tmp_path / "part") == expected
    assert len(server.seen) == 1
    assert not (tmp_path / "part").exists()


def test_a_server_that_stays_broken_is_given_up_and_its_bytes_are_kept(
    server: Server, tmp_path: Path
) -> None:
    server.faults = ["cut", *[500] * 9]
    message = refusal(f"{server.url}/a.gz", tmp_path / "part")
    assert message == "the server is busy or broken (500), also when tried again"
    assert len(server.seen) == 4
    assert DATA.startswith((tmp_path / "part").read_bytes())
    assert (tmp_path / "part").stat().st_size > 500_000


def test_a_dead_server_is_given_up_within_30_s(server: Server, tmp_path: Path) -> None:
    """The sum of the time limits is less; tried here with short limits, a closed port and a silent server."""
    assert module.PATIENCE_S + max(module.PAUSES_S) + sum(answers.TIMEOUT_S) < 30
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "TIMEOUT_S", (0.2, 0.2))
        patch.setattr(module, "PATIENCE_S", 0.5)
        server.faults = ["silent"] * 9
        started = time.monotonic()
        message = refusal(f"{server.url}/a.gz", tmp_path / "part")
        assert message == "the server does not answer in time, also when tried again"
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        message = refusal(f"https://127.0.0.1:{port}/a.gz", tmp_path / "part")
        assert message == "the server cannot be reached, also when tried again"
        assert time.monotonic() - started < 4


def test_a_name_with_many_addresses_is_given_up_within_30_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is tried before the time is checked."""
    assert 12 * answers.TIMEOUT_S[0] < 30
    assert module.PATIENCE_S + max(module.PAUSES_S) + 4 * answers.TIMEOUT_S[0] < 30
    monkeypatch.setattr(answers, "TIMEOUT_S", (0.1, 0.4))
    monkeypatch.setattr(module, "PATIENCE_S", 0.45)
    original = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: original(*args, **kwargs) * 12)
    with deaf() as port:
        started = time.monotonic()
        message = refusal(f"https://127.0.0.1:{port}/a.gz", tmp_path / "part")
    assert message == "the server does not answer in time, also when tried again"
    assert 1.1 < time.monotonic() - started < 2


def test_a_file_that_changed_meanwhile_is_downloaded_again(server: Server, tmp_path: Path) -> None:
    server.faults = ["cut", *[500] * 9]
    refusal(f"{server.url}/a.gz", tmp_path / "part")
    server.faults, server.seen = [], []
    server.files["/a.gz"] = DATA[::-1]
    download(f"{server.url}/a.gz", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA[::-1]
    assert server.ranges[0] is not None and len(server.seen) == 1


@pytest.mark.parametrize("have", [DATA[:1000], DATA + b"more", b"x" * 2000])
def test_without_ranges_or_with_a_longer_part_the_whole_file_is_downloaded(
    server: Server, tmp_path: Path, have: bytes
) -> None:
    (tmp_path / "part").write_bytes(have)
    server.faults = ["no-ranges"] if len(have) < len(DATA) else []
    download(f"{server.url}/a.gz", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_complete_part_is_accepted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA)
    download(f"{server.url}/a.gz", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert len(server.seen) == 1


def test_a_redirect_keeps_the_range(server: Server, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA[:1000])
    server.faults = [f"{server.url}/a.gz"]
    download(f"{server.url}/resolve/a.gz", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert server.seen == [("/resolve/a.gz", "bytes=1000-"), ("/a.gz", "bytes=1000-")]


def test_only_https_after_redirects_too(server: Server, tmp_path: Path) -> None:
    expected = "it leads away from https, which is not followed"
    for target in ("http://127.0.0.1/a.gz", "ftp://127.0.0.1/a.gz", "file:///etc/passwd"):
        assert refusal(target, tmp_path / "part") == expected
        server.faults = [target]
        assert refusal(f"{server.url}/a.gz", tmp_path / "part") == expected
    assert not (tmp_path / "part").exists()


def test_an_untrusted_certificate_is_refused_at_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    assert refusal(f"{server.url}/a.gz", tmp_path / "part") == "the server's certificate is not trusted"
    assert server.seen == []


def test_a_declared_compression_is_left_as_it_is(server: Server, tmp_path: Path) -> None:
    server.headers = {"Content-Encoding": "gzip"}
    download(f"{server.url}/a.gz", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_slow_download_ends_at_the_time_limit_and_is_continued_next_time(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.3)
    server.faults = ["slow"]
    assert "took over 0.3 s and is not complete" in refusal(f"{server.url}/a.gz", tmp_path / "part")
    come = (tmp_path / "part").stat().st_size
    assert 0 < come < len(DATA)
    server.seen = []
    download(f"{server.url}/a.gz", tmp_path / "part")
    assert server.ranges == [f"bytes={come}-"]
    assert (tmp_path / "part").read_bytes() == DATA
