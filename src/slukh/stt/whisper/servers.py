"""A Whisper server by its address, as a recogniser."""

from collections.abc import Callable, Mapping
from typing import Final

from slukh.stt.base import SttProvider
from slukh.stt.language import iso_639_1
from slukh.stt.whisper.address import Address, Dialect
from slukh.stt.whisper.decoding import Decoder
from slukh.stt.whisper.deepgram import deepgram_call
from slukh.stt.whisper.http import OPENAI, HttpDecoder, RestDialect
from slukh.stt.whisper.probing import UNKNOWN
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.realtime import realtime_call
from slukh.stt.whisper.reposting import RepostingDecoder
from slukh.stt.whisper.socket_provider import MakeCall, SocketProvider
from slukh.stt.whisper.whisper_cpp import WHISPER_CPP
from slukh.stt.whisper.whisperlive import whisperlive_call
from slukh.stt.whisper.whisperlivekit import whisperlivekit_call
from slukh.stt.whisper.wyoming import WyomingDecoder

_CALLS: Final[Mapping[Dialect, MakeCall]] = {
    "whisperlive": whisperlive_call,
    "deepgram": deepgram_call,
    "whisperlivekit": whisperlivekit_call,
    "realtime": realtime_call,
}
_NAMES: Final[Mapping[Dialect, str]] = {
    "openai": UNKNOWN.server,
    "whisperlive": "WhisperLive",
    "deepgram": "Deepgram or WhisperLiveKit",
    "whisperlivekit": "WhisperLiveKit",
    "realtime": "a realtime server",
    "wyoming": "a Wyoming server",
}
_REST: Final[Mapping[Dialect, RestDialect]] = {"openai": OPENAI, "whisper.cpp": WHISPER_CPP}


def server_at(
    where: Address,
    *,
    api_key: str = "",
    model: str = "",
    metered: bool | None = None,
    interims: bool = True,
    words: bool = False,
    as_language: Callable[[str], str] = iso_639_1,
    connect_seconds: float = 2.0,
    final_seconds: float = 10.0,
    name: str = "whisper",
) -> SttProvider:
    """The recogniser at an address.

    Args:
        where: the server.
        api_key: or empty.
        model: as the server names it.
        metered: whether every request is billed; None asks who is known to.
        interims: whether a server that gives none is posted to again and again for them.
        words: whether word timings are asked for, which costs a server time; some give them unasked.
        as_language: BCP-47 to what is sent.
        connect_seconds: longest that a connection may take.
        final_seconds: longest from the end of an utterance to its final.
        name: registry name and metric label.
    """
    is_metered = where.is_hosted if metered is None else metered
    make_call = _CALLS.get(where.dialect)
    if make_call is not None:
        return SocketProvider(
            where, make_call, api_key=api_key, model=model, metered=is_metered, as_language=as_language,
            # Deepgram speaks while the caller does. The others do as their processor has time, so that
            # silence of theirs says nothing.
            interim_results=where.dialect == "deepgram" and where.is_hosted,
            words=where.dialect == "deepgram" or (words and where.dialect == "whisperlive"),
            connect_seconds=connect_seconds, final_seconds=final_seconds, name=name,
        )  # fmt: skip
    decoder: Decoder
    if where.dialect == "wyoming":
        decoder = WyomingDecoder(
            where.url, as_language=as_language, connect_seconds=connect_seconds, total_seconds=final_seconds,
            name=name,
        )  # fmt: skip
    else:
        decoder = HttpDecoder(
            where, dialect=_REST[where.dialect], candidates={} if where.is_hosted else _REST,
            api_key=api_key, model=model, pieces=not where.is_hosted, words=words, as_language=as_language,
            connect_seconds=connect_seconds, total_seconds=final_seconds, name=name,
        )  # fmt: skip
    if interims and not is_metered:
        decoder = RepostingDecoder(decoder, name=name)
    return WhisperProvider(decoder, model=model, metered=is_metered, name=name)


def server_name(provider: SttProvider) -> str:
    """Which server it is, as far as it could be told."""
    if isinstance(provider, SocketProvider):
        return _NAMES[provider.address.dialect]
    decoder = provider.decoder if isinstance(provider, WhisperProvider) else None
    decoder = decoder.inner if isinstance(decoder, RepostingDecoder) else decoder
    if isinstance(decoder, HttpDecoder) and decoder.recognised is not None:
        return decoder.recognised.server
    return _NAMES["wyoming" if isinstance(decoder, WyomingDecoder) else "openai"]


def why_no_interims(provider: SttProvider) -> str:
    """What keeps texts from coming while a caller speaks, as far as it could be told."""
    if isinstance(provider, SocketProvider):
        if provider.address.dialect == "realtime":
            return "speaches up to 0.9.0-rc.3 has none on its socket; another would be slower than speech"
        return "the server is slower than speech"
    if provider.capabilities.metered:
        return "the server bills each request, so it is asked once (SLUKH_WHISPER_METERED)"
    decoder = provider.decoder if isinstance(provider, WhisperProvider) else None
    if not isinstance(decoder, RepostingDecoder):
        return "the server gives none, and asking again is switched off (SLUKH_WHISPER_INTERIMS)"
    if decoder.held_back:
        return f"the server gives none, and is not asked again because {decoder.held_back}"
    return "the server gives none, and asked again it says nothing before the end of speech"
