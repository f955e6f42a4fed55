"""Spool and ledger against what happens to processes and disks: SIGKILL, no space, a hang."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.patience import HUNG_SECONDS

from slukh.cost.drain import Drain, MeterSink
from slukh.cost.ledger.store import Ledger, Recorded
from slukh.cost.spool import Spool
from slukh.types import AttemptEnded, CallEnded, CallEvent, CallStarted, Event

# Books Attempts for ever and says after each flush how many are durable.
ENDLESS_CALLS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from slukh.cost.drain import MeterSink
from slukh.cost.ledger.store import Ledger
from slukh.cost.spool import Spool
from slukh.types import AttemptEnded, CallEvent

spool = Spool(Path(sys.argv[1]) / "spool")
sink = MeterSink(spool, Ledger(sys.argv[2]), interval_seconds=0.002)
sink.start()
number = 0
while True:
    number += 1
    attempt = AttemptEnded(utterance_id=number, attempt=1, provider="whisper", model="base", purpose="serve",
                           outcome="published", audio_samples=8000)
    sink.observe(CallEvent(call_id="c", leg=1, provider="whisper", model="base", assigned_arm="whisper",
                           received_at=datetime.now(UTC), event=attempt))
    spool.flush()
    print(number, flush=True)
"""

# A file may not grow beyond 64 KiB: write() fails in the middle of a line, as on a full disk.
FULL_DISK = """
import resource, signal, sys, threading
from datetime import UTC, datetime
from pathlib import Path
from slukh.cost.spool import Spool
from slukh.types import Usage

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
refused = threading.Event()
spool = Spool(Path(sys.argv[1]), retry_seconds=0.01, on_error=lambda stage: refused.set())
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
for number in range(1000):
    spool.append(Usage(call_id="c", leg=1, component="stt", sequence=number, provider="whisper", model="base",
                       unit="audio_ms", quantity=1, outcome="published", occurred_at=datetime.now(UTC)))
assert refused.wait(60)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert spool.close()
print("closed")
"""


def stamped(event: Event, call_id: str) -> CallEvent:
    return CallEvent(
        call_id=call_id, leg=1, provider="whisper", model="base", assigned_arm="whisper",
        received_at=datetime.now(UTC), event=event,
    )  # fmt: skip


def killed_after(directory: Path, url: str, rows: int) -> int:
    """Run the endless caller, kill it after so many rows; how many it had reported durable."""
    reported = 0
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS_CALLS, str(directory), url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            reported = int(line)
            if reported == rows:
                process.send_signal(signal.SIGKILL)
                break
        for line in process.stdout:  # what it still said before it died
            reported = int(line)
    return reported


def test_a_killed_gateway_loses_no_row_that_was_durable_and_books_none_twice(
    tmp_path: Path, new_url: Callable[[], str]
) -> None:
    for trial, rows in enumerate((1, 7, 40, 133)):
        directory, url = tmp_path / str(trial), new_url()
        reported = killed_after(directory, url, rows)
        with Spool(directory / "spool") as spool, Ledger(url) as ledger:
            drain = Drain(spool, ledger)
            while drain.drain_once() != Recorded():
                pass
            record = ledger.call("c")
            assert record is not None
            booked = [row.sequence // 1000 for row in record.usage]
            assert ledger.conflicts() == ()
        assert booked == list(range(1, len(booked) + 1))
        assert len(booked) in (reported, reported + 1)  # the one that was being written


def test_a_disk_that_fills_up_in_the_middle_of_a_line_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=HUNG_SECONDS,
        check=False,
    )
    assert done.stdout == "closed\n", done.stderr
    with Spool(tmp_path) as spool:
        batches = list(spool.batches())
    assert not [rejected for batch in batches for rejected in batch.rejected]
    sequences = [row.sequence for batch in batches for row in batch.rows if hasattr(row, "sequence")]
    assert sequences == list(range(1000))


def test_a_hundred_calls_are_booked_to_the_millisecond(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool, Ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        sink = MeterSink(spool, ledger, interval_seconds=0.01)
        sink.start()
        for number in range(100):
            call_id = f"c-{number}"
            sink.observe(stamped(CallStarted(call_id=call_id, language_code="uk-UA"), call_id))
            for utterance_id in (1, 2, 3):
                attempt = AttemptEnded(
                    utterance_id=utterance_id, attempt=1, provider="whisper", model="base", purpose="serve",
                    outcome="published", audio_samples=8000 + number,
                )  # fmt: skip
                sink.observe(stamped(attempt, call_id))
            sink.observe(stamped(CallEnded(position=80_000, reason="hangup", heard=80_000), call_id))
        assert sink.stop()
        assert spool.lost_rows == 0
        assert not list((tmp_path / "spool").glob("*.jsonl"))
        calls = ledger.calls(limit=1000)
        assert len(calls) == 100
        assert all(call.state == "ended" and call.attempts == 3 for call in calls)
        for number in range(100):
            record = ledger.call(f"c-{number}")
            assert record is not None
            stt = [row.quantity for row in record.usage if row.component == "stt"]
            assert sum(stt) == 3 * -(-(8000 + number) // 8)
            assert [leg.sent_ms for leg in record.legs] == [sum(stt)]


def test_two_gateways_share_one_ledger(tmp_path: Path, url: str) -> None:
    with (
        Ledger(url) as first, Ledger(url) as second,
        Spool(tmp_path / "a") as a, Spool(tmp_path / "b") as b,
    ):  # fmt: skip
        sinks = [MeterSink(a, first, interval_seconds=0.001), MeterSink(b, second, interval_seconds=0.001)]
        for sink in sinks:
            sink.start()
        for number in range(200):
            attempt = AttemptEnded(
                utterance_id=number, attempt=1, provider="whisper", model="base", purpose="serve",
                outcome="published", audio_samples=8000,
            )  # fmt: skip
            for name, sink in enumerate(sinks):
                sink.observe(stamped(attempt, f"gateway-{name}"))
        assert all(sink.stop() for sink in sinks)
        for name in range(2):
            record = first.call(f"gateway-{name}")
            assert record is not None
            assert len(record.usage) == 200


def test_observe_does_not_wait_for_a_disk_that_hangs(tmp_path: Path) -> None:
    release_read, release_write = os.pipe()

    def hang(_fd: int) -> None:
        select.select([release_read], [], [])

    with Spool(tmp_path / "spool", sync=hang) as spool, Ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        sink = MeterSink(spool, ledger)
        for number in range(1000):  # would never end if it waited for one fsync
            sink.observe(stamped(CallEnded(position=8000, reason="hangup"), f"c-{number}"))
        assert not spool.flush(0.01)
        os.write(release_write, b"x")
        assert spool.flush(10)
    os.close(release_read)
    os.close(release_write)
