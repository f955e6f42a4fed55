"""`slukh forget`: what names a caller goes, in every store, and nobody else's does."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from slukh.callers import caller_hash, made_caller_key
from slukh.cli import app
from slukh.cost.drain import MeterSink
from slukh.cost.ledger.phrases import record_phrases
from slukh.cost.ledger.store import Ledger, Recorded
from slukh.cost.meter import CallFacts, Row
from slukh.cost.phrase_tally import PhraseTally, Tallied, Words, witness_of
from slukh.cost.spool import Spool
from slukh.cost.spools import leave_address
from slukh.errors import LedgerError, UserError
from slukh.experiment.evidence import CallRow, DrawRow, LabelRow, OutcomeRow, ShadowRow, TurnRow
from slukh.experiment.recorded import RecordedUtterance
from slukh.experiment.recordings import Recordings
from slukh.experiment.store import ExperimentStore
from slukh.ports import listen
from slukh.serving.callbook import CallBook
from slukh.serving.phrase_keeping import PhraseKeeping, let_go
from slukh.types import CallEnded, CallEvent, CallStarted, PhraseSpoken, Usage
from slukh.web.api import ApiOptions, create_app
from slukh.web.server import WebServer

NUMBER = "+380671234567"
NOW = datetime.now(UTC).replace(microsecond=0)
THEIRS = ("8b1f7c1e-6f0c-4b8e-9a53-2f1de3a7c001", "8b1f7c1e-6f0c-4b8e-9a53-2f1de3a7c002")
OTHER = "8b1f7c1e-6f0c-4b8e-9a53-2f1de3a7c003"
KEY = bytes(32)


class Kept:
    """Two calls of one caller and one of another, in every store; `slukh` over them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.environment = {
            "SLUKH_DATA_DIR": str(folder), "SLUKH_LEDGER_URL": url, "SLUKH_EXPERIMENT_URL": url,
            "SLUKH_HTTP_PORT": "1",  # where nobody listens
        }  # fmt: skip
        self.key = made_caller_key(folder)
        self.caller = caller_hash(self.key, NUMBER) or ""
        for call_id in THEIRS:
            self.keep(call_id, self.caller)
        self.keep(OTHER, caller_hash(self.key, "+380441112233"))

    def keep(self, call_id: str, caller: str | None) -> None:
        facts = CallFacts(
            call_id=call_id, leg=1, state="ended", started_at=NOW, ended_at=NOW, language_code="uk-UA",
            announced=True, trunk=None, caller=caller, provider="google", model="chirp_3",
            assigned_arm="google", sent_ms=1, end_reason="hangup",
        )  # fmt: skip
        used = Usage(
            call_id=call_id, leg=1, component="stt", sequence=1001, provider="google", model="chirp_3",
            unit="audio_ms", quantity=4200, outcome="published", occurred_at=NOW,
        )  # fmt: skip
        with Ledger(self.url) as ledger:
            ledger.record([facts, used])
            ledger.record([replace(facts, sent_ms=2)])  # a conflict, set aside with its caller
            witness = witness_of(self.key, "phrase", caller or "")
            heard = Words(subject="phrase", language_code="uk-UA", text="Так.", witness=witness)
            record_phrases(ledger, Tallied(words=(heard,)), now=NOW)
        rows = (
            CallRow(
                call_id=call_id, caller=caller, language_code="uk-UA", arm="google", flag_reason="SPLIT",
                flag_version="1-x", serving="google", models={"google": "chirp_3"}, started_at=NOW,
                ended_at=NOW, end_reason="hangup",
            ),
            TurnRow(call_id=call_id, utterance_id=1, provider="google", endpointing_ms=500, final_ms=300),
            OutcomeRow(call_id=call_id, task_success=True),
            ShadowRow(
                call_id=call_id, utterance_id=1, live="google", shadow="whisper", canonical_version="1-x",
                is_complete=True, differing_words=1,
            ),
            DrawRow(
                call_id=call_id, utterance_id=1, language_code="uk-UA", probability=0.5, position=1, seed=1,
                since=NOW, until=NOW,
            ),
            LabelRow(
                call_id=call_id, utterance_id=1, labeller="olena", probability=0.5, canonical_version="1-x",
                reference="r", words=1, entities=0, google_errors=0, whisper_errors=1, google_entity_errors=0,
                whisper_entity_errors=0,
            ),
        )  # fmt: skip
        with ExperimentStore(self.url) as store:
            store.record(rows)
        said = RecordedUtterance(
            call_id=call_id, utterance_id=1, caller=caller, language_code="uk-UA", recorded_at=NOW, start=0,
            end=4, speech_start=1, speech_end=3, pcm=bytes(8), texts={"google": "так", "whisper": "ні"},
            live="google", arm="google",
        )  # fmt: skip
        with Recordings(self.url, key=KEY, days=30) as recordings:
            recordings.keep([said])

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=self.environment)

    def told(self, *arguments: str) -> dict[str, Any]:
        done = self.run("forget", *arguments, "--json")
        assert done.exit_code == 0, done.output
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    @property
    def left(self) -> dict[str, int]:
        """How much of everything is kept, by call."""
        with (
            Ledger(self.url) as ledger,
            ExperimentStore(self.url) as store,
            Recordings(self.url) as recordings,
        ):
            draws = store.draws()
            rows = store.window(NOW - timedelta(days=1), NOW + timedelta(days=1))
            listed = recordings.listed(NOW - timedelta(days=1), NOW + timedelta(days=1))
            callers = [leg.caller for leg in ledger.calls()]
            aside = [payload["caller"] for payload in ledger.conflicts()]
            usage = [ledger.call(call_id) for call_id in (*THEIRS, OTHER)]
        return {
            "calls": len(rows.calls), "turns": len(rows.turns), "outcomes": len(rows.outcomes),
            "shadows": len(rows.shadows), "labels": len(rows.labels), "draws": len(draws),
            "recordings": len(listed),
            "callers": sum(caller is not None for caller in callers),
            "aside": sum(caller is not None for caller in aside),
            "usage": sum(len(record.usage) for record in usage if record is not None),
        }  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path, new_url: Callable[[], str]) -> Kept:
    """In either database."""
    return Kept(tmp_path, new_url())


def everything_of(calls: int) -> dict[str, int]:
    names = ("calls", "turns", "outcomes", "shadows", "draws", "labels", "recordings", "callers", "aside")
    return dict.fromkeys(names, calls) | {"usage": 3}


def test_a_caller_is_forgotten_everywhere_and_what_they_used_is_kept(kept: Kept) -> None:
    assert kept.left == everything_of(3)
    told = kept.told(NUMBER)
    assert kept.left == everything_of(1)
    assert told["calls"] == list(THEIRS)
    assert told["removed"] == {
        "recordings": 2,
        "experiment": {"calls": 2, "turns": 2, "outcomes": 2, "shadows": 2, "draws": 2, "labels": 2},
        "callers_in_ledger": 4,
        "phrases_heard": 1,
    }
    assert told["kept"]["usage_rows"] == 2
    assert told["gateway"] is None


def test_a_call_is_forgotten_and_its_caller_s_other_is_not(kept: Kept) -> None:
    assert kept.told(THEIRS[0].upper())["calls"] == [THEIRS[0]]
    assert kept.left == everything_of(2)


def test_a_caller_may_be_named_by_the_hash_that_calls_show_prints(kept: Kept) -> None:
    assert kept.told(kept.caller)["calls"] == list(THEIRS)


def test_nobody_is_forgotten_twice_and_the_exit_code_says_so(kept: Kept) -> None:
    kept.told(NUMBER)
    again = kept.run("forget", NUMBER)
    assert again.exit_code == 1
    assert again.stdout.startswith("nothing to forget")
    assert kept.run("forget", THEIRS[0]).exit_code == 1


def test_a_person_is_told_what_went_and_what_stays_without_the_number(kept: Kept) -> None:
    said = kept.run("forget", NUMBER).stdout
    assert "recordings, audio and texts: 2 removed" in said
    assert "kept: 2 usage rows of 2 calls" in said
    assert "10 minutes" in said
    assert "671234567" not in said


def test_what_is_no_caller_and_no_call_is_refused_with_what_can_be_named(tmp_path: Path) -> None:
    made_caller_key(tmp_path)
    done = CliRunner().invoke(app, ["forget", "olena"], env={"SLUKH_DATA_DIR": str(tmp_path)})
    assert "a call's UUID" in str(done.exception)


LetGo = Callable[[str | None], Awaitable[str | None]]


async def nothing_held(_caller: str | None) -> None:
    """No usage is on its way."""


@contextlib.asynccontextmanager
async def web_server(
    book: CallBook, key: bytes, token: str | None, let_go: LetGo = nothing_held
) -> AsyncIterator[str]:
    """The HTTP side of a gateway; its port."""
    options = ApiOptions(
        token=token, caller_key=key, language_code="uk-UA", alternative_language_codes=(),
        refuse_reason=lambda: None, not_ready=dict, metrics=lambda: (b"", "text/plain"), let_go=let_go,
    )  # fmt: skip
    web = WebServer(uvicorn.Config(create_app(book, options), log_config=None, lifespan="off", ws="none"))
    with listen("127.0.0.1", 0, "HTTP") as listener:
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        yield str(listener.getsockname()[1])
        web.should_exit = True
        await serving


async def test_the_running_gateway_lets_go_of_their_calls_and_says_which_are_not_over(kept: Kept) -> None:
    book = CallBook(transcript_seconds=600)
    for call_id, state in zip((*THEIRS, OTHER), ("ended", "live", "ended"), strict=True):
        caller = None if call_id == OTHER else kept.caller
        call = CallStarted(call_id=call_id, caller=caller, language_code="uk-UA")
        book.attach(call).state = state  # type: ignore[assignment]  # one of its own
    async with web_server(book, kept.key, "secret") as port:
        kept.environment |= {"SLUKH_HTTP_PORT": port, "SLUKH_API_TOKEN": "secret"}
        told = await asyncio.to_thread(kept.told, NUMBER)
    assert told["gateway"] == {"forgotten": 1, "live": 1}
    assert [record.call.call_id for record in book.all()] == [THEIRS[1], OTHER]


async def test_a_gateway_that_takes_no_orders_is_named_before_anything_is_forgotten(kept: Kept) -> None:
    async with web_server(CallBook(transcript_seconds=600), kept.key, "secret") as port:
        kept.environment |= {"SLUKH_HTTP_PORT": port, "SLUKH_API_TOKEN": "wrong"}
        done = await asyncio.to_thread(kept.run, "forget", NUMBER)
    assert "SLUKH_API_TOKEN" in str(done.exception)
    assert kept.left == everything_of(3)


LATE = "8b1f7c1e-6f0c-4b8e-9a53-2f1de3a7c009"


class Gateway:
    """What one keeps in memory and on disk after a call of the caller, and how it is asked to let go."""

    def __init__(self, spool: Spool, ledger: Ledger, kept: Kept, call_id: str) -> None:
        self.spool = spool
        self.failed = threading.Event()
        self.meter = MeterSink(
            spool, ledger, interval_seconds=0.05, on_error=lambda _stage: self.failed.set()
        )
        self.tally = PhraseTally(kept.key)
        self.phrases = PhraseKeeping(self.tally, ledger)
        self.call_id = call_id
        spoken = PhraseSpoken(
            phrase=1, utterance_id=1, text="Ваша черга ввечері.", language_code="uk-UA", provider="g",
            voice="v", characters=19, outcome="sent", audio_ms=1, played_ms=1,
        )  # fmt: skip
        started = CallStarted(call_id=call_id, caller=kept.caller, language_code="uk-UA")
        for event in (started, spoken, CallEnded(position=1, reason="hangup")):
            stamped = CallEvent(
                call_id=call_id, leg=1, provider="p", model="m", assigned_arm="p", received_at=NOW,
                event=event,
            )  # fmt: skip
            self.meter.observe(stamped)
            self.tally.observe(stamped)

    async def let_go(self, caller: str | None) -> str | None:
        return await let_go(self.meter, self.phrases, caller)


@contextlib.asynccontextmanager
async def gateways(kept: Kept, ledger: Ledger, count: int) -> AsyncIterator[list[Gateway]]:
    """Gateways that run on one data folder, each with a call of the caller that only it knows of."""
    folder = Path(kept.environment["SLUKH_DATA_DIR"])
    async with contextlib.AsyncExitStack() as stack:
        running = []
        for number in range(1, count + 1):
            spool = stack.enter_context(Spool(folder / f"spool-{number}"))
            gateway = Gateway(spool, ledger, kept, f"{LATE[:-1]}{number + 3}")
            server = web_server(CallBook(transcript_seconds=600), kept.key, None, gateway.let_go)
            leave_address(spool.directory, f"http://127.0.0.1:{await stack.enter_async_context(server)}")
            running.append(gateway)
        yield running


def callers_of(ledger: Ledger, calls: Iterable[str]) -> list[str | None]:
    records = [ledger.call(call_id) for call_id in calls]
    return [leg.caller for record in records if record is not None for leg in record.legs]


async def test_what_every_gateway_of_the_folder_still_has_does_not_bring_a_caller_back(kept: Kept) -> None:
    with Ledger(kept.url) as ledger:
        async with gateways(kept, ledger, 2) as running:
            for gateway in running:
                gateway.meter.start()
            told = await asyncio.to_thread(kept.told, NUMBER)
            for gateway in running:
                await gateway.phrases.keep()
                assert gateway.meter.stop()
        calls = [gateway.call_id for gateway in running]
        assert told["calls"] == [*THEIRS, *calls]
        assert callers_of(ledger, calls) == [None, None]
    assert kept.told(caller_hash(kept.key, "+380441112233") or "")["removed"]["phrases_heard"] == 1
    assert kept.run("forget", NUMBER).exit_code == 1


async def test_nothing_is_forgotten_while_a_gateway_cannot_reach_the_ledger(kept: Kept) -> None:
    class Away(Ledger):
        def record(self, rows: Sequence[Row]) -> Recorded:
            raise LedgerError(f"{len(rows)} rows find it away", remedy="wait")

    with Away(kept.url) as ledger:
        async with gateways(kept, ledger, 1) as (gateway,):
            gateway.meter.start()
            assert await asyncio.to_thread(gateway.failed.wait, 10)
            done = await asyncio.to_thread(kept.run, "forget", NUMBER)
            gateway.meter.stop()
    assert isinstance(done.exception, UserError)
    assert "usage does not reach the ledger" in str(done.exception)
    assert kept.left == everything_of(3)
    assert kept.told(NUMBER)["calls"] == [*THEIRS, gateway.call_id]


def test_what_a_gateway_left_that_runs_no_more_is_forgotten_as_well(kept: Kept) -> None:
    with Ledger(kept.url) as ledger, Spool(Path(kept.environment["SLUKH_DATA_DIR"]) / "spool-1") as spool:
        gateway = Gateway(spool, ledger, kept, LATE)
    assert kept.told(NUMBER)["calls"] == [*THEIRS, gateway.call_id]
