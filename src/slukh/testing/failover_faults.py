"""Every way a recogniser fails, and how each is made: on the wire by a proxy, or in the answer by a script.

A direction names who fails and who takes over. What cannot happen in one stands in `LEFT_OUT`, and why.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import grpc  # type: ignore[import-untyped]  # grpcio ships no types

from slukh.testing.fault_proxy import FaultProxy, Wire
from slukh.testing.google import LocalGoogle
from slukh.testing.google_limits import GoogleLimits
from slukh.testing.google_recognition import WORKS, GoogleScript
from slukh.testing.numbered import heard_words
from slukh.testing.whisper_server import Answer, FakeWhisperServer, Hangs, Hears, Says, Status

Direction = Literal["google->whisper", "whisper->google"]
Moment = Literal[
    "speech",    # it is there when the Attempt opens
    "endpoint",  # it is there when Whisper is asked
    "strike",    # it happens to all calls at one moment, each somewhere in its utterance
    "script",    # it happens to each stream at a moment of its own
    "kill",      # a process died
]  # fmt: skip

_Code = grpc.StatusCode
_MID_UPLOAD = Wire(slice_bytes=4096, limit_bytes=30_000)  # of 54 kB, so in the middle of what the caller said
_LIMITS = GoogleLimits()


@dataclass(slots=True, kw_only=True)
class Bench:
    """Both servers, and the proxy before the one that fails.

    Attributes:
        google: its streams do what the fault's script says, once it is armed.
        whisper: its answers are the fault's, once it is armed.
        failing: relays to one of them.
        google_endpoint: where clients find Google, `host:port`.
        whisper_url: where they find Whisper.
        is_armed: whether the fault is there.
    """

    google: LocalGoogle
    whisper: FakeWhisperServer
    failing: FaultProxy
    google_endpoint: str
    whisper_url: str
    is_armed: bool = False

    async def arm(self, fault: "Fault") -> None:
        """From now on it fails."""
        self.is_armed = True
        if fault.direction == "whisper->google":
            self.whisper.answer_with(fault.answer)
        if fault.before is not None:
            await fault.before(self)


Blow = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in one direction.

    Attributes:
        name: as the table has it.
        direction: who fails and who takes over.
        moment: what its detection is measured from.
        script: what a stream of Google's does.
        answer: what the Whisper server does.
        before: done while nobody speaks, before the utterance that is hit.
        strike: done while every call is in the middle of it.
        kills: Whisper is a child of ours, killed over each final decode.
    """

    name: str
    direction: Direction
    moment: Moment
    script: Callable[[Random], GoogleScript] = lambda _: WORKS
    answer: Answer = Hears(heard_words)  # noqa: RUF009  # frozen
    before: Blow | None = None
    strike: Blow | None = None
    kills: bool = False

    @property
    def is_of_streams(self) -> bool:
        """Whether it hits streams of Google's that are opened while it is there, and no other."""
        return self.direction == "google->whisper" and self.before is None and self.strike is None


def _google(name: str, moment: Moment, script: Callable[[Random], GoogleScript]) -> Fault:
    return Fault(name=name, direction="google->whisper", moment=moment, script=script)


def _whisper(name: str, answer: Answer, before: Blow | None = None) -> Fault:
    return Fault(name=name, direction="whisper->google", moment="endpoint", answer=answer, before=before)


def _both_before(name: str, blow: Blow) -> tuple[Fault, Fault]:
    return (
        Fault(name=name, direction="google->whisper", moment="speech", before=blow),
        Fault(name=name, direction="whisper->google", moment="endpoint", before=blow),
    )


def _error(code: grpc.StatusCode, details: str) -> Callable[[Random], GoogleScript]:
    """An error somewhere in the utterance, its first word (0.6 s with the pre-roll) and all of it spared."""
    return lambda rng: GoogleScript(error=(code, details), error_after_seconds=rng.uniform(0.7, 2.9))


def _stream_limit(rng: Random) -> GoogleScript:
    aborted = _LIMITS.stream_limit
    out_of_range = (_Code.OUT_OF_RANGE, "Exceeded maximum allowed stream duration of 305 seconds.")
    return GoogleScript(error=rng.choice([aborted, out_of_range]), error_after_seconds=rng.uniform(0.7, 2.9))


async def _refuse(bench: Bench) -> None:
    await bench.failing.refuse()
    bench.failing.reset()


async def _black_hole(bench: Bench) -> None:
    bench.failing.black_hole()
    bench.failing.reset()


async def _never_answer(bench: Bench) -> None:
    bench.failing.never_answer()
    bench.failing.reset()


async def _reset(bench: Bench) -> None:
    bench.failing.reset()


async def _vanish(bench: Bench) -> None:
    bench.failing.vanish()


async def _read_nothing(bench: Bench) -> None:
    bench.failing.up = Wire(bytes_per_second=0)


async def _corrupt(bench: Bench) -> None:
    bench.failing.down = Wire(corrupts=True)


async def _answer_late(bench: Bench) -> None:
    bench.failing.down = Wire(delay_seconds=0.15)


async def _reset_in_upload(bench: Bench) -> None:
    bench.failing.up = replace(_MID_UPLOAD, at_limit="reset")
    bench.failing.reset()


async def _vanish_in_upload(bench: Bench) -> None:
    bench.failing.up = replace(_MID_UPLOAD, at_limit="vanish")
    bench.failing.reset()


async def _stop_google(bench: Bench) -> None:
    await bench.google.stop()


FAULTS: tuple[Fault, ...] = (
    *_both_before("refused", _refuse),
    *_both_before("black-hole connect", _black_hole),
    *_both_before("handshake never ends", _never_answer),
    _google(
        "auth error",
        "speech",
        lambda _: GoogleScript(
            refusal=(_Code.UNAUTHENTICATED, "Request had invalid authentication credentials.")
        ),
    ),
    _whisper("auth error", Status(401)),
    _google(
        "accepted, then error after 150 ms",
        "speech",
        lambda _: GoogleScript(
            error=(_Code.UNAVAILABLE, "The service is currently unavailable."), error_after_seconds=0.55
        ),
    ),
    _whisper("accepted, then error after 150 ms", Status(500), _answer_late),
    Fault(name="reset mid-word", direction="google->whisper", moment="strike", strike=_reset),
    _whisper("reset mid-word", Hears(heard_words), _reset_in_upload),
    *_both_before("reset between utterances", _reset),
    Fault(name="half-open", direction="google->whisper", moment="strike", strike=_vanish),
    _whisper("half-open", Hears(heard_words), _vanish_in_upload),
    _google("open but silent", "speech", lambda _: GoogleScript(is_silent=True)),
    _whisper("open but silent", Hangs()),
    Fault(name="send blocked", direction="google->whisper", moment="strike", strike=_read_nothing),
    _whisper("send blocked", Hears(heard_words), _read_nothing),
    _google("finals 5 s late", "endpoint", lambda _: GoogleScript(final_after_seconds=5.0)),
    _whisper("finals 5 s late", Hears(heard_words, after_seconds=5.0)),
    _google("finals never", "endpoint", lambda _: GoogleScript(final_after_seconds=math.inf)),
    _google("interims only", "endpoint", lambda _: GoogleScript(finals=0)),
    _google(
        "429, overload",
        "speech",
        lambda _: GoogleScript(
            refusal=(_Code.RESOURCE_EXHAUSTED, "Quota exceeded for quota metric 'Concurrent streams'.")
        ),
    ),
    _whisper("429, overload", Status(429)),
    _google("500, out of memory", "script", _error(_Code.INTERNAL, "Out of memory.")),
    _whisper("500, out of memory", Status(500, '{"detail": "CUDA out of memory"}')),
    Fault(name="malformed message", direction="google->whisper", moment="strike", strike=_corrupt),
    _whisper("malformed message", Status(200, "<html>Bad Gateway</html>", "text/html")),
    _google("empty finals for voiced speech", "endpoint", lambda _: GoogleScript(has_empty_final=True)),
    _whisper("empty finals for voiced speech", Says("")),
    _whisper("repetition loop", Says("дякую " * 60)),
    _google("ABORTED at the stream limit", "script", _stream_limit),
    Fault(name="GOAWAY", direction="google->whisper", moment="strike", strike=_stop_google),
    Fault(name="Whisper child killed", direction="whisper->google", moment="kill", kills=True),
)

LEFT_OUT: tuple[tuple[str, Direction, str], ...] = (
    (
        "finals never",
        "whisper->google",
        "a Whisper server says nothing but its final, so this is `open but silent`",
    ),
    ("interims only", "whisper->google", "a Whisper server gives no interims"),
    (
        "repetition loop",
        "google->whisper",
        "known of Whisper's decoder only; Google's text goes through no guard",
    ),
    (
        "ABORTED at the stream limit",
        "whisper->google",
        "a Whisper server is asked once per utterance, no stream lives on",
    ),
    ("GOAWAY", "whisper->google", "HTTP/1.1 has none; its kin is `reset between utterances`"),
    (
        "Whisper child killed",
        "google->whisper",
        "Whisper is the backup here and no process of Google's is ours",
    ),
)

# Milliseconds that the detection may take, where a figure is promised.
TARGETS_MS: dict[str, float] = {
    "refused": 100,
    "reset mid-word": 100,
    "GOAWAY": 100,
    "send blocked": 1500,
    "half-open": 3500,
    "open but silent": 2500,
}


@asynccontextmanager
async def servers(fault: Fault, rng: Random) -> AsyncIterator[Bench]:
    """Both in good health, until they are armed."""
    bench: Bench | None = None

    def scripts() -> Iterator[GoogleScript]:
        while True:
            yield fault.script(rng) if bench is not None and bench.is_armed else WORKS

    google_fails = fault.direction == "google->whisper"
    async with (
        LocalGoogle(heard_words, scripts()) as google,
        FakeWhisperServer([Hears(heard_words)]) as whisper,
    ):
        target = google.endpoint if google_fails else whisper.url
        async with FaultProxy(int(target.rpartition(":")[2])) as failing:
            behind = f"127.0.0.1:{failing.port}"
            bench = Bench(
                google=google,
                whisper=whisper,
                failing=failing,
                google_endpoint=behind if google_fails else google.endpoint,
                whisper_url=whisper.url if google_fails else f"http://{behind}",
            )
            yield bench
