"""The way to Google: one warm channel, or a few, that all calls share.

A connection of HTTP/2 carries about a hundred streams at Google; others wait in silence until one ends. So
there are a few connections, and a stream goes to the least busy.
"""

import asyncio
import ipaddress
import re
from dataclasses import dataclass, field

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport

from slukh.errors import SettingsError, SttAuthenticationError, SttConnectError
from slukh.google_access import application_credentials, channel_options


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleLink:
    """How Google is reached.

    Attributes:
        endpoint: `host:port` of a local Google on loopback, spoken to in clear and without credentials;
            empty: Google's own, by TLS with the application's default credentials.
        metadata: sent with every stream.
        connections: how many are kept.
        keepalive_ms: a link with streams on which nothing came for so long is pinged; 0: never.
        keepalive_timeout_ms: a ping, or sent data (TCP_USER_TIMEOUT), unanswered for so long ends the link.
        open_seconds: for a connection, and for a stream to open.
        credentials_seconds: for the credentials to be found and to prove good.
    """

    endpoint: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    connections: int = 3
    keepalive_ms: int = 10_000
    keepalive_timeout_ms: int = 3_000
    open_seconds: float = 2.0
    credentials_seconds: float = 10.0


def host_of(location: str, endpoint: str) -> str:
    """`host:port` to connect to.

    Raises:
        SettingsError: no location, or an endpoint that is not on loopback, where audio would go in clear.
    """
    if not re.fullmatch(r"[a-z0-9-]+", location):
        raise SettingsError(
            f"GOOGLE_STT_LOCATION={location!r:.40} is no location", remedy="use one such as eu or us"
        )
    if not endpoint:
        return "speech.googleapis.com" if location == "global" else f"{location}-speech.googleapis.com"
    host, _, port = endpoint.rpartition(":")
    if not port.isdecimal() or not _is_loopback(host.strip("[]")):
        raise SettingsError(
            f"GOOGLE_STT_ENDPOINT={endpoint!r:.60} is not host:port on loopback",
            remedy="use 127.0.0.1:50551 for a local Google, or leave it unset for Google's own",
        )
    return endpoint


@dataclass(slots=True, kw_only=True)
class Lane:
    """One connection and how many streams are on it."""

    channel: grpc.aio.Channel
    client: SpeechAsyncClient = field(init=False)
    streams: int = 0

    def __post_init__(self) -> None:
        self.client = SpeechAsyncClient(transport=SpeechGrpcAsyncIOTransport(channel=self.channel))


async def open_lanes(provider: str, host: str, link: GoogleLink) -> list[Lane]:
    """Channels that are connected.

    Raises:
        SttAuthenticationError: no credentials, or refused ones.
        SttConnectError: no server, or none that answers.
    """
    options = channel_options(keepalive_ms=link.keepalive_ms, keepalive_timeout_ms=link.keepalive_timeout_ms)
    if link.endpoint:
        channels = [grpc.aio.insecure_channel(host, options=options) for _ in range(link.connections)]
    else:
        credentials = await application_credentials(
            provider,
            unreachable=SttConnectError,
            refused=SttAuthenticationError,
            deadline_seconds=link.credentials_seconds,
        )
        channels = [
            SpeechGrpcAsyncIOTransport.create_channel(host, credentials=credentials, options=options)
            for _ in range(link.connections)
        ]
    lanes = [Lane(channel=channel) for channel in channels]
    try:
        async with asyncio.timeout(link.open_seconds):
            await asyncio.gather(*(lane.channel.channel_ready() for lane in lanes))
    except TimeoutError as error:
        await close_lanes(lanes)
        doubt = (
            "is a local Google running there?"
            if link.endpoint
            else "is the network up, and GOOGLE_STT_LOCATION spelt right?"
        )
        detail = f"no connection to {host} in {link.open_seconds:g} s: {doubt}"
        raise SttConnectError(provider, detail) from error
    return lanes


async def close_lanes(lanes: list[Lane]) -> None:
    """Close the connections and all streams on them."""
    await asyncio.gather(*(lane.channel.close() for lane in lanes))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
