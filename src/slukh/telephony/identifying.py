"""Whose call a connection is: what a peer says first, before there is a line."""

import asyncio
from typing import Final

from slukh.errors import TelephonyError
from slukh.telephony.base import Codec, CodecEvent, Identified, Reply

_READ_BYTES: Final = 64 * 1024


async def identify(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, codec: Codec, *, within: float = 2.0
) -> tuple[str, list[CodecEvent]]:
    """The call id a peer begins with, and the events that came in the same read.

    Args: within: seconds the peer has for it, all in all, however slowly it types.

    Raises:
        TelephonyError: `no_id`, or the codec's own reason. Closing the connection is left to the caller.
    """
    try:
        async with asyncio.timeout(within):
            return await _read_id(reader, writer, codec)
    except OSError as error:  # TimeoutError is one
        raise TelephonyError("no_id", f"no call id within {within:g} s") from error


async def _read_id(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, codec: Codec
) -> tuple[str, list[CodecEvent]]:
    while data := await reader.read(_READ_BYTES):
        events = iter(codec.receive_data(data))
        for event in events:
            match event:
                case Identified(call_id=call_id):
                    return call_id, list(events)
                case Reply(data=reply):
                    writer.write(reply)
                case _:
                    raise TelephonyError("no_id", "the peer did not begin with its call")
    raise TelephonyError("no_id", "the peer left before it named its call")
