"""Numbered words said to a call's router, as its listener hears them."""

import asyncio
from collections.abc import Iterable

from slukh.routing.router import CallRouter
from slukh.speech.listener import Listener
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import EnergyDetector
from slukh.testing.numbered import numbered_speech, silence

_FRAME_SAMPLES = 160


async def speak(router: CallRouter, utterances: Iterable[Iterable[int]]) -> Listener:
    """Say utterances in frames of 20 ms, each long enough after the last to be one of its own.

    Returns:
        The listener, which was not told that the call is over.
    """
    listener = Listener(EnergyDetector(), Endpointing())
    position = 0
    for numbers in utterances:
        for samples in (silence(0.4), numbered_speech(numbers), silence(0.8)):
            for at in range(0, len(samples), _FRAME_SAMPLES):
                frame = samples[at : at + _FRAME_SAMPLES]
                for event in listener.hear(frame, position):
                    router.hear(event)
                position += len(frame)
                await asyncio.sleep(0)
    return listener
