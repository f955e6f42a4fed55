"""What the addresses of Whisper servers mean."""

import pytest

from slukh.errors import SettingsError
from slukh.stt.whisper.address import address, addresses, only_address


@pytest.mark.parametrize(
    ("url", "dialect", "connected_to"),
    [
        ("http://host:8000", "openai", "http://host:8000/v1/audio/transcriptions"),
        ("http://host:8000/", "openai", "http://host:8000/v1/audio/transcriptions"),
        ("http://host:8000/v1", "openai", "http://host:8000/v1/audio/transcriptions"),
        ("https://host/v1/", "openai", "https://host/v1/audio/transcriptions"),
        ("https://host/openai/v1", "openai", "https://host/openai/v1/audio/transcriptions"),
        ("https://host/whisper", "openai", "https://host/whisper/v1/audio/transcriptions"),
        ("http://host/v1/audio/transcriptions", "openai", "http://host/v1/audio/transcriptions"),
        ("http://[::1]:8000", "openai", "http://[::1]:8000/v1/audio/transcriptions"),
        ("http://host:8080/inference", "whisper.cpp", "http://host:8080/inference"),
        ("whisper.cpp+http://host:8080", "whisper.cpp", "http://host:8080/inference"),
        ("whisper.cpp+https://host/asr/inference", "whisper.cpp", "https://host/asr/inference"),
        ("whisperlive+ws://host:9090", "whisperlive", "ws://host:9090/"),
        ("whisperlive+wss://host/live", "whisperlive", "wss://host/live"),
        ("deepgram+wss://api.deepgram.com", "deepgram", "wss://api.deepgram.com/v1/listen"),
        ("deepgram+ws://host:8000/v1/listen", "deepgram", "ws://host:8000/v1/listen"),
        ("whisperlivekit+ws://host:8000", "whisperlivekit", "ws://host:8000/asr"),
        ("realtime+wss://api.openai.com/v1", "realtime", "wss://api.openai.com/v1/realtime"),
        ("realtime+ws://host:8000", "realtime", "ws://host:8000/v1/realtime"),
        ("wyoming+tcp://host:10300", "wyoming", "tcp://host:10300"),
        ("wyoming+tcp://host", "wyoming", "tcp://host:10300"),
    ],
)
def test_the_scheme_says_what_is_spoken_and_a_path_may_be_left_out(
    url: str, dialect: str, connected_to: str
) -> None:
    meant = address(url)
    assert (meant.dialect, meant.url) == (dialect, connected_to)


@pytest.mark.parametrize(
    "url",
    [
        "", "host:8000", "ws://host", "tcp://host", "http://", "http://me:secret@host", "http://host?k=secret",
        "wyoming+http://host", "deepgram+http://host", "whisper+http://host", "openai+http://host",
        "http://host:99999999",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_a_secret_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        address(url)
    assert "secret" not in str(refused.value)


def test_a_scheme_that_nobody_speaks_is_answered_by_those_that_somebody_does() -> None:
    with pytest.raises(SettingsError, match=r"such as http://.*wyoming\+tcp://"):
        address("ftp://host")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "gpu1:8000", "gpu1"])
def test_an_address_without_a_scheme_is_told_so_and_how_one_looks(url: str) -> None:
    with pytest.raises(SettingsError, match=r"has no scheme.*such as http://"):
        address(url)


def test_only_an_address_without_scheme_and_path_is_probed() -> None:
    bare = {
        url: address(url).is_bare for url in ("http://h", "http://h/", "http://h/v1", "whisper.cpp+http://h")
    }
    assert bare == {"http://h": True, "http://h/": True, "http://h/v1": False, "whisper.cpp+http://h": False}


@pytest.mark.parametrize(
    ("url", "is_hosted"),
    [
        ("https://api.openai.com", True),
        ("https://api.groq.com/openai/v1", True),
        ("deepgram+wss://api.deepgram.com", True),
        ("http://openai.com.example.org", False),
        ("http://10.0.0.5:8000", False),
    ],
)
def test_services_that_bill_each_request_are_known(url: str, is_hosted: bool) -> None:
    assert address(url).is_hosted == is_hosted


@pytest.mark.parametrize(
    ("url", "metered", "payee"),
    [
        ("https://api.groq.com/openai/v1", False, "groq"),
        ("realtime+wss://api.openai.com", False, "openai"),
        ("http://10.0.0.5:8000", False, "whisper"),
        ("https://whisper.example.com", True, "whisper.example.com"),
    ],
)
def test_what_a_server_hears_is_paid_to_its_owner(url: str, metered: bool, payee: str) -> None:
    assert address(url).payee(metered=metered) == payee


def test_several_servers_stand_side_by_side_each_once() -> None:
    assert [a.key for a in addresses("http://a:1, whisper.cpp+http://b:2,")] == ["a:1", "b:2"]
    assert addresses("") == ()
    with pytest.raises(SettingsError, match="twice"):
        addresses("http://a:1,http://a:1/v1")


def test_several_servers_where_one_is_meant_are_refused_as_such() -> None:
    assert only_address("http://a:1,") == address("http://a:1")
    with pytest.raises(SettingsError, match="2 servers where one is meant"):
        only_address("http://a:1,wyoming+tcp://b")
    with pytest.raises(SettingsError, match="has no scheme"):
        only_address("")
