"""Wyoming: its framing, and a recogniser over it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.errors import SttConnectError, SttError, SttProtocolError, SttStreamError, SttTimeoutError
from slukh.ports import reserved_port
from slukh.stt.base import StreamConfig
from slukh.stt.whisper.address import address
from slukh.stt.whisper.servers import server_at
from slukh.stt.whisper.wyoming import WyomingDecoder
from slukh.stt.whisper.wyoming_events import Event, Events, WyomingFormatError, encoded
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.wyoming_server import Fault, WyomingServer
from slukh.types import AudioChunk

SPEECH = numbered_speech([1, 2, 3, 4]).tobytes()
EVENTS = st.lists(
    st.builds(
        Event,
        type=st.sampled_from(["audio-chunk", "transcript"]),
        data=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
        payload=st.binary(max_size=50),
    ),
    max_size=4,
)


@given(events=EVENTS, size=st.integers(1, 40))
def test_any_split_of_the_bytes_gives_the_same_events(events: list[Event], size: int) -> None:
    wire = b"".join(encoded(event) for event in events)
    decoder = Events()
    got = [event for at in range(0, len(wire), size) for event in decoder.receive(wire[at : at + size])]
    assert got == events


def test_data_may_stand_in_the_line_itself() -> None:
    (event,) = Events().receive(b'{"type": "transcript", "data": {"text": "\xd1\x82"}}\n')
    assert event == Event(type="transcript", data={"text": "т"})


@pytest.mark.parametrize(
    "wire",
    [b"<html>\n", b"[]\n", b"{}\n", b'{"type": "x", "payload_length": 99999999999}\n', b"x" * (1 << 21)],
)
def test_what_is_not_wyoming_is_refused_before_anything_is_kept_for_it(wire: bytes) -> None:
    with pytest.raises(WyomingFormatError):
        Events().receive(wire)


async def heard(server: WyomingServer, language_code: str = "uk-UA", **options: Any) -> list[Any]:
    provider = server_at(
        address(f"wyoming+tcp://127.0.0.1:{server.port}"), interims=False, **{"final_seconds": 5.0, **options}
    )
    stream = await provider.open(StreamConfig(language_code=language_code))
    try:
        for at in range(0, len(SPEECH), 1600):
            await stream.send(AudioChunk(pcm=SPEECH[at : at + 1600]))
        await stream.end()
        async with asyncio.timeout(10):
            return [result async for result in stream]
    finally:
        await stream.close()
        await provider.aclose()


async def test_an_utterance_is_one_connection_in_the_callers_language() -> None:
    async with WyomingServer(heard_words) as server:
        (final,) = await heard(server, "ru-RU")
        assert (final.text, final.is_final, final.language_code) == ("1 2 3 4", True, "ru-RU")
        assert [event.type for event in server.received[:3]] == ["transcribe", "audio-start", "audio-chunk"]
        assert server.received[0].data == {"language": "ru"}
        assert server.received[1].data == {"rate": 8000, "width": 2, "channels": 1}
        assert b"".join(event.payload for event in server.received) == SPEECH


async def test_audio_goes_out_while_it_is_spoken() -> None:
    async with WyomingServer(heard_words) as server:
        provider = server_at(address(f"wyoming+tcp://127.0.0.1:{server.port}"), interims=False)
        stream = await provider.open(StreamConfig(language_code="uk-UA"))
        await stream.send(AudioChunk(pcm=SPEECH))
        async with asyncio.timeout(2):
            assert await server.next_audio() == SPEECH
        await stream.close()
        await provider.aclose()


async def test_it_says_what_it_is_before_calls_are_given_to_it() -> None:
    async with WyomingServer(heard_words) as server:
        provider = server_at(address(f"wyoming+tcp://127.0.0.1:{server.port}"))
        await provider.start()
        assert [event.type for event in server.received] == ["describe"]
        await provider.aclose()


async def test_a_server_that_does_not_say_what_it_is_may_be_none_of_wyoming() -> None:
    """As HTTP servers do, which wait for the rest of a request."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        decoder = WyomingDecoder(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", start_seconds=0.2)
        with pytest.raises(SttTimeoutError, match="does it speak Wyoming") as caught:
            await decoder.start()
    assert "scheme in WHISPER_API_URL" in caught.value.remedy


@pytest.mark.parametrize(
    ("fault", "error", "sentence"),
    [
        ("closes", SttStreamError, "without an answer"),
        ("hangs", SttTimeoutError, "no answer in 0.3 s"),
        ("error", SttStreamError, "no model"),
        ("garbage", SttProtocolError, "does not speak Wyoming"),
    ],
)
async def test_every_way_to_fail_is_its_own_error(fault: Fault, error: type[SttError], sentence: str) -> None:
    async with WyomingServer(heard_words, fault=fault) as server:
        with pytest.raises(error, match=sentence):
            await heard(server, final_seconds=0.3)


async def test_a_server_that_is_not_there_is_noticed_at_the_first_word() -> None:
    with reserved_port() as port:
        provider = server_at(address(f"wyoming+tcp://127.0.0.1:{port}"))
        with pytest.raises(SttConnectError, match="is the server running"):
            await provider.start()
        stream = await provider.open(StreamConfig(language_code="uk-UA"))
        await stream.send(AudioChunk(pcm=SPEECH))
        with pytest.raises(SttConnectError):
            _ = [result async for result in stream]
        await stream.close()
        await provider.aclose()
