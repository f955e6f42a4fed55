"""Telephones for tests: SIP over UDP and G.711 over RTP, as much of them as calling an Asterisk takes.

    async with telephone(("127.0.0.1", 5060)) as phone:
        call = await phone.call("1000", caller="+380671234567")
        call.say(samples)
        await call.said()
        await call.quiet(1.0)           # something loud came, and then nothing for so long
        await call.hang_up()
        call.heard                      # mu-law

Loopback loses nothing, so nothing is sent twice; an answer that is sent twice is acknowledged twice.

Sources: RFC 3261 (SIP), RFC 3264 and 8866 (offer and SDP), RFC 3551 (PCMU), RFC 4733 (telephone events).
"""

import asyncio
import re
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

import numpy as np

from slukh.audio import (
    Samples,
    linear16_from_mulaw,
    linear16_from_samples,
    mulaw_from_linear16,
    samples_from_linear16,
)
from slukh.errors import ServiceError

FRAME_SECONDS = 0.02
_FRAME = 160
_SILENCE = b"\xff" * _FRAME
_PCMU, _EVENT = 0, 101
_DIGITS = "0123456789*#ABCD"
_ANSWER_SECONDS = 60.0
_RTP_HEADER = 12  # bytes: Asterisk sends no extensions
_LOUD = 100  # peak of a frame that holds something to hear


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One call, from the telephone's side.

    Attributes:
        heard: mu-law; what was not sent is not there.
        was_hung_up: the other side ended it.
    """

    phone: "Telephone"
    number: str
    caller: str
    local_port: int
    call_id: str = field(default_factory=lambda: str(uuid4()))
    peer_tag: str = ""
    rtp_port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    loud_at: float = 0.0
    was_hung_up: bool = False
    messages: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    audio: bytearray = field(default_factory=bytearray)  # mu-law that is still to be said
    packets: int = 0

    def say(self, samples: Samples) -> None:
        """Say 8 kHz audio, at the pace of speech, after what was given before."""
        self.audio += mulaw_from_linear16(linear16_from_samples(samples))

    async def said(self, *, but_seconds: float = 0.0) -> None:
        """Wait until everything is said, but for some seconds; or until the other side has hung up."""
        while len(self.audio) > but_seconds * 8000 and not self.was_hung_up:
            await self.phone.ticked()

    def take(self, packet: bytes) -> None:
        """A packet of RTP came."""
        if packet[1] & 0x7F == _PCMU:
            payload = packet[_RTP_HEADER:]
            self.heard += payload
            if np.abs(samples_from_linear16(linear16_from_mulaw(payload)).astype(np.int32)).max() >= _LOUD:
                self.loud_at = time.monotonic()

    async def quiet(self, seconds: float) -> None:
        """Wait for something loud and then for silence, or until the other side has hung up."""
        began = time.monotonic()
        while not self.was_hung_up and (self.loud_at < began or time.monotonic() - self.loud_at < seconds):
            await self.phone.ticked()

    def press(self, digit: str) -> None:
        """Press a key for 60 ms; it mutes the audio."""
        timestamp = self.packets * _FRAME
        for number in range(6):
            duration = _FRAME * min(number + 1, 3)
            end = 0x80 if number >= 3 else 0  # noqa: PLR2004  # the end is told three times
            event = struct.pack(">BBH", _DIGITS.index(digit), end | 10, duration)
            self._send(_EVENT, timestamp, event, marker=number == 0)

    async def hang_up(self) -> None:
        """End the call."""
        self.phone.request(self, "BYE", 2)
        await self.answer()

    async def answer(self) -> str:
        """The next final answer. Raises ServiceError on a refusal, or when none comes."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                while (message := await self.messages.get()).startswith("SIP/2.0 1"):
                    pass
        except TimeoutError:
            raise ServiceError("no answer to a SIP request", remedy="see Asterisk's log") from None
        if not message.startswith("SIP/2.0 2"):
            raise ServiceError(message.splitlines()[0], remedy="see Asterisk's log")
        return message

    def tick(self) -> None:
        """Send the next 20 ms."""
        frame = bytes(self.audio[:_FRAME])
        del self.audio[:_FRAME]
        self._send(_PCMU, self.packets * _FRAME, frame + _SILENCE[len(frame) :], marker=self.packets == 0)

    def _send(self, kind: int, timestamp: int, payload: bytes, *, marker: bool) -> None:
        header = struct.pack(
            ">BBHII", 0x80, kind | marker << 7, self.packets & 0xFFFF, timestamp & 0xFFFFFFFF, self.local_port
        )
        self.packets += 1
        self.phone.rtp(self.local_port).sendto(header + payload, ("127.0.0.1", self.rtp_port))


class _Ear(asyncio.DatagramProtocol):
    """Takes the RTP of a call."""

    def __init__(self) -> None:
        self.call: Call | None = None

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        """A packet (asyncio)."""
        if self.call is not None:
            self.call.take(data)


class Telephone(asyncio.DatagramProtocol):
    """A SIP user agent on one UDP port, with any number of calls.

    Args: server: whom it calls.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._calls: dict[str, Call] = {}
        self._rtp: dict[int, asyncio.DatagramTransport] = {}
        self._tick = asyncio.Event()
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is open (asyncio)."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        """A SIP message (asyncio)."""
        message = data.decode()
        call = self._calls.get(_header(message, "Call-ID"))
        if message.startswith("BYE ") and call is not None:
            call.was_hung_up = True
            names = ("Via", "From", "To", "Call-ID", "CSeq")
            headers = [f"{name}: {_header(message, name)}" for name in names]
            self._say(["SIP/2.0 200 OK", *headers, "Content-Length: 0"])
        elif call is not None:
            if message.startswith("SIP/2.0 2") and _header(message, "CSeq").endswith("INVITE"):
                found = re.search(r"tag=([^;\s]+)", _header(message, "To"))
                call.peer_tag = "" if found is None else found[1]
                self.request(call, "ACK", 1)
            call.messages.put_nowait(message)

    async def call(self, number: str, *, caller: str) -> Call:
        """Call a number. Raises ServiceError when it is not answered."""
        loop = asyncio.get_running_loop()
        rtp, ear = await loop.create_datagram_endpoint(_Ear, local_addr=("127.0.0.1", 0))
        port = rtp.get_extra_info("sockname")[1]
        self._rtp[port] = rtp
        call = ear.call = Call(phone=self, number=number, caller=caller, local_port=port)
        self._calls[call.call_id] = call
        sdp = [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
            f"m=audio {port} RTP/AVP {_PCMU} {_EVENT}", f"a=rtpmap:{_EVENT} telephone-event/8000", "",
        ]  # fmt: skip
        self.request(call, "INVITE", 1, "\r\n".join(sdp))
        answer = await call.answer()
        found = re.search(r"^m=audio (\d+)", answer, re.MULTILINE)
        assert found is not None
        call.rtp_port = int(found[1])
        return call

    def request(self, call: Call, method: str, sequence: int, body: str = "") -> None:
        """Send a request within a call."""
        host, port = self._transport.get_extra_info("sockname")
        tag = f";tag={call.peer_tag}" if call.peer_tag else ""
        lines = [
            f"{method} sip:{call.number}@{self._server[0]}:{self._server[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{uuid4().hex}",
            f"From: <sip:{call.caller}@{host}:{port}>;tag={call.local_port}",
            f"To: <sip:{call.number}@{self._server[0]}>{tag}",
            f"Call-ID: {call.call_id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{call.caller}@{host}:{port}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._say(lines, body)

    def rtp(self, port: int) -> asyncio.DatagramTransport:
        """The socket of a call's audio."""
        return self._rtp[port]

    async def ticked(self) -> None:
        """Wait until the next 20 ms are sent."""
        await self._tick.wait()

    async def run(self) -> None:
        """Send every call's audio, on a schedule that does not drift."""
        due = time.monotonic()
        while True:
            for call in self._calls.values():
                if call.rtp_port and not call.was_hung_up:
                    call.tick()
            self._tick.set()
            self._tick = asyncio.Event()
            due += FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def close(self) -> None:
        """Give the ports back."""
        for transport in (self._transport, *self._rtp.values()):
            transport.close()

    def _say(self, lines: list[str], body: str = "") -> None:
        self._transport.sendto("\r\n".join([*lines, "", body]).encode(), self._server)


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", message, re.IGNORECASE | re.MULTILINE)
    return "" if found is None else found[1]


@asynccontextmanager
async def telephone(server: tuple[str, int]) -> AsyncIterator[Telephone]:
    """A telephone on a free port."""
    loop = asyncio.get_running_loop()
    _, phone = await loop.create_datagram_endpoint(lambda: Telephone(server), local_addr=("127.0.0.1", 0))
    talking = asyncio.create_task(phone.run())
    try:
        yield phone
    finally:
        talking.cancel()
        phone.close()
        await asyncio.sleep(0)  # asyncio closes sockets in its next round
