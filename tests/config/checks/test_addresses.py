"""No address with a secret gets into the configuration, and no text shown repeats one."""

import pytest

from segguided.config.models.controlnet import Pretrained
from segguided.config.sources.ct_org import CtOrgSource
from segguided.config.sources.idc import IdcSource
from segguided.shown import without_secrets

LOGINS = (
    "https://user:s3cret@mirror.org/ct",
    "https://s3cret@mirror.org",
    "http://user:s3cret@mirror.org/ct",
    "https://user:p@s3cret@mirror.org/",
    "https://[user:s3cret@mirror.org",
)


@pytest.mark.parametrize("address", LOGINS)
def test_logins_are_refused_and_netrc_is_named(address: str) -> None:
    for make in (
        lambda: CtOrgSource(kind="ct-org", mirror=address),
        lambda: IdcSource(kind="idc", masks="m", endpoint=address),
        lambda: Pretrained(kind="pretrained", source=address),
    ):
        with pytest.raises(ValueError, match=r"~/\.netrc") as caught:
            make()
        assert "s3cret" not in str([error["msg"] for error in caught.value.errors()])


@pytest.mark.parametrize("end", ["?sig=s3cret", "#s3cret", "/a?b"])
def test_queries_are_refused(end: str) -> None:
    with pytest.raises(ValueError, match=r"without \? and #"):
        CtOrgSource(kind="ct-org", mirror=f"https://mirror.org/ct{end}")


@pytest.mark.parametrize(
    "address",
    ["https://mirror.org/a@b/ct", "https://mirror.org:8443", "https://[::1]/x", "https://bücher.example/x"],
)
def test_plain_addresses_stay(address: str) -> None:
    assert CtOrgSource(kind="ct-org", mirror=address).mirror == address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("get https://u:s3cret@h/x?sig=s3cret now", "get https://***@h/x?… now"),
        (
            "pool(host='h'): with url: /a/b?X-Token=s3cret (Caused by x)",
            "pool(host='h'): with url: /a/b?… (Caused by x)",
        ),
        ("s3://k:s3cret@bucket/x, proxy 'http://u:s3cret@p:1'", "s3://***@bucket/x, proxy 'http://***@p:1'"),
        ("mail a@b.org; 3 of 4? https://h/x", "mail a@b.org; 3 of 4? https://h/x"),
    ],
)
def test_shown_without_secrets(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize("case", ["../../x", "/etc/x", "1/2", "", "1\x1b", "x" * 101, "1?y"])
def test_a_case_of_ct_org_is_no_way_to_another_folder(case: str) -> None:
    source = CtOrgSource(kind="ct-org")
    source.check_rows([{"patient": "p", "case": "17"}], "t.tsv")
    with pytest.raises(
        ValueError, match=r"t\.tsv: (the column case|expected the number in its files' names as case)"
    ) as caught:
        source.check_rows([{"patient": "p", "case": "17"}, {"patient": "q", "case": case}], "t.tsv")
    assert str(caught.value).isprintable()
