"""The clock's promises: positions never jump, nothing is lost unsaid, nothing stale is heard."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slukh.telephony.clock import MAX_LAG_SECONDS, CallClock, Heard
from slukh.types import AudioGap

FRAME = 160
FRAME_SECONDS = 0.02


class Call:
    """A clock with the time of a test and the record of what came out of it. Sample k of the line is k."""

    def __init__(self) -> None:
        self.clock = CallClock()
        self.now = 100.0
        self.spoken = 0
        self.received = 0
        self.out: list[Heard | AudioGap] = []

    def hears(self, seconds: float, *, lump: bool = False) -> "Call":
        """The line gives so much audio: frame by frame in real time, or in one lump at this moment."""
        frames = round(seconds / FRAME_SECONDS)
        if lump:
            self._receive(frames * FRAME)
        else:
            for _ in range(frames):
                self.now += FRAME_SECONDS
                self._receive(FRAME)
        return self

    def _receive(self, length: int) -> None:
        samples = np.arange(self.received + 1, self.received + 1 + length).astype(np.int16)
        self.received += length
        self.out += self.clock.received(samples, self.now)

    def waits(self, seconds: float, *, awake: bool = True) -> "Call":
        """Nothing comes; awake, the shell looks every 100 ms."""
        until = self.now + seconds
        while awake and self.now + 0.1 <= until + 1e-9:
            self.now += 0.1
            self.out += self.clock.idle(self.now)
        self.now = until
        return self

    def ends(self) -> "Call":
        self.out += self.clock.finish()
        return self

    @property
    def gaps(self) -> list[tuple[str, float]]:
        return [(e.reason, (e.end - e.start) / 8000) for e in self.out if isinstance(e, AudioGap)]

    @property
    def samples(self) -> list[int]:
        pieces = [e.samples for e in self.out if isinstance(e, Heard)]
        return np.concatenate(pieces).tolist() if pieces else []


def test_a_punctual_line_is_heard_as_it_is() -> None:
    call = Call().hears(10.0).ends()
    assert call.samples == list(range(1, 32768)) + [s - 65536 for s in range(32768, 65536)] + list(
        range(14465)
    )
    assert call.gaps == []
    assert call.clock.heard == call.clock.position == 80_000


def test_after_a_stall_of_3_s_about_1_s_is_discarded_and_the_newest_2_s_are_kept() -> None:
    call = Call().hears(1.0).waits(3.0, awake=False).hears(3.0, lump=True).hears(1.0).ends()
    [(reason, seconds)] = call.gaps
    assert reason == "stale"
    assert seconds == pytest.approx(1.0, abs=0.021)
    assert call.clock.position == 5 * 8000
    assert call.samples[8000:15_800] == [0] * 7800
    assert call.samples[16_200:24_000] == list(range(16_201, 24_001))


def test_one_stall_is_one_gap_however_its_backlog_is_read() -> None:
    call = Call().hears(1.0).waits(5.0, awake=False)
    for _ in range(10):
        call.hears(0.5, lump=True)
    assert [reason for reason, _ in call.ends().gaps] == ["stale"]
    assert call.gaps[0][1] == pytest.approx(3.0, abs=0.021)


def test_a_line_that_falls_silent_is_filled_up_to_60_ms_behind_real_time() -> None:
    call = Call().hears(1.0).waits(0.2)
    assert call.clock.position == 8000
    call.waits(0.6)
    assert call.clock.lag(call.now) == pytest.approx(0.06, abs=0.021)
    assert call.gaps == []  # its end is not known yet
    call.waits(1.2).hears(0.5).ends()
    [(reason, seconds)] = call.gaps
    assert reason == "idle"
    assert 1.88 < seconds < 2.0


def test_a_gap_that_is_open_at_the_end_of_the_call_is_reported_then() -> None:
    call = Call().hears(1.0).waits(1.0)
    assert call.gaps == []
    [(reason, seconds)] = call.ends().gaps
    assert reason == "idle"
    assert seconds == pytest.approx(0.92, abs=0.021)
    assert call.ends().clock.heard == 8000


def test_silence_comes_in_pieces_while_the_line_is_idle() -> None:
    call = Call().hears(1.0)
    before = len(call.out)
    call.waits(1.0)
    pieces = [len(e.samples) for e in call.out[before:] if isinstance(e, Heard)]
    assert len(pieces) >= 6
    assert max(pieces) <= 0.35 * 8000


def test_nothing_of_a_burst_after_inserted_silence_is_lost() -> None:
    call = Call().hears(1.0).waits(1.5).hears(1.5, lump=True).hears(20.0).ends()
    assert [reason for reason, _ in call.gaps] == ["idle"]
    assert call.clock.heard == call.received


def test_before_the_first_audio_there_is_no_silence() -> None:
    call = Call().waits(10.0).hears(1.0).ends()
    assert call.gaps == []
    assert call.clock.position == 8000


def test_packet_loss_never_makes_a_line_stale() -> None:
    call = Call()
    for _ in range(600):  # 3 % of the packets, for ten minutes: 18 s are missing in the end
        call.hears(0.98)
        call.now += 0.03
    assert call.ends().gaps == []
    assert call.clock.heard == call.received


def test_a_stall_after_packet_loss_still_discards() -> None:
    call = Call()
    for _ in range(100):
        call.hears(0.98)
        call.now += 0.02
    call.waits(4.0, awake=False).hears(4.0, lump=True).ends()
    [(reason, seconds)] = call.gaps
    assert reason == "stale"
    assert 1.9 < seconds < 2.4  # up to 300 ms of loss are not forgiven yet


def test_the_frame_that_was_read_before_a_stall_does_not_hide_it() -> None:
    call = Call().hears(2.0).waits(3.0, awake=False)
    call.hears(0.02, lump=True).hears(2.98, lump=True).ends()
    assert [reason for reason, _ in call.gaps] == ["stale"]


def test_a_backlog_that_comes_in_lumps_is_never_taken_for_lost_packets() -> None:
    call = Call().hears(1.0).waits(1.0, awake=False)
    for _ in range(30):
        call.waits(0.4, awake=False).hears(0.4, lump=True)
    assert call.gaps == []
    call.waits(1.3, awake=False).hears(1.3, lump=True).ends()
    assert [reason for reason, _ in call.gaps] == ["stale"]


def test_loss_that_was_forgiven_does_not_hide_the_stall_that_follows() -> None:
    call = Call().hears(1.0).waits(0.5, awake=False).hears(0.5)  # 25 pieces, all of them late
    assert call.clock.lag(call.now) == pytest.approx(0.0, abs=0.021)
    call.waits(3.0, awake=False).hears(0.02, lump=True).hears(2.98, lump=True).ends()
    assert [reason for reason, _ in call.gaps] == ["stale"]


def test_a_recording_sent_as_fast_as_tcp_takes_it_is_never_stale() -> None:
    call = Call()
    for pause in (0.0, 5.0, 0.0, 9.0, 3.0):
        call.waits(pause, awake=False).hears(4.0, lump=True)
    assert call.ends().gaps == []
    assert call.clock.heard == call.received


def test_a_recording_at_eight_times_real_time_is_never_stale() -> None:
    call = Call()
    for second in range(30):
        call.waits(0.125, awake=False).hears(1.0, lump=True)
        if second == 10:
            call.waits(4.0, awake=False)
    assert call.ends().gaps == []


def test_a_further_leg_goes_on_where_real_time_is() -> None:
    call = Call().hears(2.0).ends()
    call.now += 5.0
    call.clock.attach(call.clock.due(call.now), call.now)
    call.hears(1.0).ends()
    [(reason, seconds)] = call.gaps
    assert reason == "detached"
    assert seconds == pytest.approx(5.0, abs=0.021)
    assert call.clock.position == pytest.approx(8 * 8000, abs=FRAME)
    assert call.clock.heard == 8000


def test_a_further_leg_never_goes_back() -> None:
    call = Call().hears(2.0)
    call.clock.attach(0, call.now)
    assert call.clock.position == 16_000
    assert call.ends().gaps == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.floats(0.02, 1.0)),
        st.tuples(st.just("lump"), st.floats(0.02, 5.0)),
        st.tuples(st.just("stall"), st.floats(0.02, 6.0)),
        st.tuples(st.just("quiet"), st.floats(0.02, 3.0)),
    ),
    max_size=25,
)


def play(schedule: list[tuple[str, float]]) -> Call:
    call = Call()
    for what, seconds in schedule:
        match what:
            case "frames":
                call.hears(seconds)
            case "lump":
                call.hears(seconds, lump=True)
            case "stall":
                call.waits(seconds, awake=False)
            case _:
                call.waits(seconds)
    return call.ends()


@settings(deadline=None)
@given(steps)
def test_positions_are_contiguous_whatever_happens(schedule: list[tuple[str, float]]) -> None:
    call = play(schedule)
    position = 0
    for event in call.out:
        if isinstance(event, Heard):
            assert event.position == position
            assert len(event.samples) > 0
            position += len(event.samples)
    assert position == call.clock.position


@settings(deadline=None)
@given(steps)
def test_no_sample_is_lost_unless_a_gap_says_so(schedule: list[tuple[str, float]]) -> None:
    call = play(schedule)
    gaps = [e for e in call.out if isinstance(e, AudioGap)]
    stale = sum(gap.end - gap.start for gap in gaps if gap.reason == "stale")
    assert call.clock.heard + stale == call.received
    assert call.clock.heard + sum(gap.end - gap.start for gap in gaps) == call.clock.position
    samples = np.array(call.samples)
    for gap in gaps:
        assert not samples[gap.start : gap.end].any()
    for before, after in pairwise(gaps):
        assert before.end <= after.start
    # Outside the gaps stand the line's own samples, in order.
    inside = np.zeros(len(samples), bool)
    for gap in gaps:
        inside[gap.start : gap.end] = True
    heard = samples[~inside]
    assert (np.diff(heard.astype(np.int16)) != 0).all()
    if not stale:
        assert heard.tolist() == np.arange(1, call.received + 1).astype(np.int16).tolist()


@settings(deadline=None)
@given(
    stalls=st.lists(st.floats(0.0, 8.0), min_size=1, max_size=8),
    read_seconds=st.sampled_from([0.5, 2.0, 4.0, 30.0]),
)
def test_a_live_line_is_never_heard_more_than_2_s_late(stalls: list[float], read_seconds: float) -> None:
    call = Call()
    call.hears(1.0)
    for stall in stalls:
        frames = round(stall / FRAME_SECONDS)
        call.now += frames * FRAME_SECONDS
        while frames > 0:  # the backlog, in reads of at most so much
            take = min(frames, round(read_seconds / FRAME_SECONDS))
            before = len(call.out)
            call.hears(take * FRAME_SECONDS, lump=True)
            for event in call.out[before:]:
                if isinstance(event, Heard) and event.samples.any():
                    spoken_at = 100.0 + event.position / 8000
                    assert call.now - spoken_at <= MAX_LAG_SECONDS + FRAME_SECONDS + 0.001
            frames -= take
        call.hears(0.2)
    assert call.ends().clock.position == call.received
    assert {reason for reason, _ in call.gaps} <= {"stale"}
