"""What a line sends over real loopback sockets: what we must never do to Asterisk."""

import asyncio
from typing import cast

from tests.integration.caller_and_line import CALL_ID, PATIENCE, connected, frame

from slukh.telephony.audiosocket import AudioSocketCodec, encode_id
from slukh.telephony.base import MediaReceived, PeerHungUp
from slukh.telephony.line import FRAME_BYTES
from slukh.telephony.socket_line import SocketLine


async def test_asterisk_hears_silence_at_least_every_second_in_frames_of_20_ms() -> None:
    loop = asyncio.get_running_loop()
    async with connected() as caller:
        began = loop.time()
        await caller.sends(encode_id(CALL_ID))
        silence = await caller.hears(2)
        assert loop.time() - began < 5.0
        assert silence == [MediaReceived(linear16=bytes(FRAME_BYTES), sample_rate_hertz=8000)] * 2


async def test_what_is_played_arrives_whole_in_20_ms_frames() -> None:
    async with connected() as caller:
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        pcm = bytes(range(250)) * 4  # 500 samples: three frames and a bit
        await caller.line.send_audio(pcm)
        heard = await caller.hears(4)
        assert b"".join(event.linear16 for event in heard if isinstance(event, MediaReceived)) == pcm
        assert [len(e.linear16) for e in heard if isinstance(e, MediaReceived)] == [320, 320, 320, 40]
        await caller.line.hang_up()
        assert await caller.hears(1) == [PeerHungUp()]


class Wire(asyncio.Transport):
    """A transport that only notes what is written."""

    def __init__(self) -> None:
        super().__init__({})
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


async def test_header_and_payload_of_a_frame_are_one_write() -> None:
    wire, reader = Wire(), asyncio.StreamReader()
    writer = asyncio.StreamWriter(
        wire, asyncio.StreamReaderProtocol(reader), reader, asyncio.get_running_loop()
    )
    await SocketLine(reader, writer, AudioSocketCodec()).send_audio(bytes(3 * FRAME_BYTES))
    assert wire.writes == [b"\x10\x01\x40" + bytes(FRAME_BYTES)] * 3
    writer.close()


async def test_a_peer_that_does_not_read_is_still_heard_and_can_be_hung_up() -> None:
    async with connected() as caller:
        cast("asyncio.Transport", caller.writer.transport).pause_reading()
        await caller.sends(encode_id(CALL_ID), frame(1))
        await caller.until(lambda: len(caller.samples) == 160)
        playing = asyncio.create_task(caller.line.send_audio(bytes(16_000_000)))
        assert not (await asyncio.wait({playing}, timeout=0.2))[0]
        unsent = caller.line._writer.transport.get_write_buffer_size()
        await caller.sends(frame(2))
        await caller.until(lambda: len(caller.samples) >= 320)
        assert not playing.done()
        caller.line._send_silence(caller.line._loop.time())
        assert caller.line._writer.transport.get_write_buffer_size() == unsent > 4096
        await caller.line.hang_up()
        assert (await caller.until_over()).reason == "gateway"
        async with asyncio.timeout(PATIENCE):
            await playing  # the line is aborted after a second, and the player is released
