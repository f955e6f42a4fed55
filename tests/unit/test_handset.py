"""A caller who waits for answers."""

import asyncio

import numpy as np

from slukh.audio import linear16_from_samples
from slukh.handset import handset
from slukh.telephony.audiosocket import AUDIO_8K, encode_frame
from slukh.testing.numbered import numbered_word
from slukh.testing.steady_time import SteadyTimeLoop

LOUD = linear16_from_samples(np.resize(numbered_word(1), 160))


async def test_time_in_which_the_caller_was_stalled_is_no_pause_in_what_is_said() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteadyTimeLoop)

    async def speaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(20):
            if number == 10:
                loop.leap(2.0)
            writer.write(encode_frame(AUDIO_8K, LOUD))
            await asyncio.sleep(0.02)
        while await reader.read(65536):
            pass
        writer.close()

    async with (
        await asyncio.start_server(speaks, "127.0.0.1", 0) as server,
        handset(
            "127.0.0.1", server.sockets[0].getsockname()[1], "8d1c0b9e-6f0a-4c57-9f5e-2a4f6f1f6c11"
        ) as phone,
    ):
        assert await phone.answered(quiet_seconds=0.5) == LOUD * 20
