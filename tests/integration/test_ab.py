"""`slukh ab` as a person uses it, over a store on disk."""

import asyncio
import contextlib
import json
import shutil
import sqlite3
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.ab_store import CHOSEN, DRAWN, NOW, fill, report, slukh

from slukh.experiment.canonical import canonical_version
from slukh.experiment.evidence import LabelRow
from slukh.experiment.grammar import load_grammar
from slukh.experiment.recordings import Recordings
from slukh.experiment.store import ExperimentStore
from slukh.testing.google import LocalGoogle
from slukh.testing.whisper_server import FakeWhisperServer, Says

CLIP = Path(__file__).parents[2] / "src" / "slukh" / "stt" / "clips" / "uk-UA.wav"
NO_LANGUAGE = {"language": None}  # the stored clips are in two
LABEL = {
    "call_id": "call-1", "utterance_id": 1, "labeller": "olena", "language_code": "uk-UA", "probability": 0.5,
    "reference": "шини двісті п'ять на п'ятдесят п'ять", "google": "шини 205/55", "whisper": "шини 215/55",
}  # fmt: skip


async def test_a_call_through_a_real_gateway_stands_in_the_store(tmp_path: Path) -> None:
    async with FakeWhisperServer([Says("Добрий день.", fields=NO_LANGUAGE)]) as server:
        called = await asyncio.to_thread(
            slukh, tmp_path, "call", str(CLIP), "--with-server", "--fast", "--caller", "+380671234567",
            WHISPER_API_URL=server.url, FF_STT_PROVIDER="whisper", FF_WHISPER_ROLLOUT_PERCENT="",
        )  # fmt: skip
    assert called.returncode == 0, called.stderr
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        found = store.window(NOW, datetime.now(UTC))
    (call,) = found.calls
    assert (call.arm, call.serving, call.flag_reason) == ("whisper", "whisper", "STATIC")
    assert call.caller is not None
    assert "380671234567" not in call.caller
    clips = [(row.provider, row.language_code) for row in found.canaries]
    assert clips == [("whisper", "uk-UA"), ("whisper", "ru-RU")]
    assert found.turns
    assert all(turn.final_ms is not None and turn.endpointing_ms > 0 for turn in found.turns)


async def test_a_shadowed_call_through_a_real_gateway_is_compared_and_booked(tmp_path: Path) -> None:
    async with (
        LocalGoogle(lambda _pcm: ["шини", "205/55"]) as google,
        FakeWhisperServer([Says("шини двісті п'ятнадцять на п'ятдесят п'ять", fields=NO_LANGUAGE)]) as server,
    ):
        called = await asyncio.to_thread(
            slukh, tmp_path, "call", str(CLIP), "--with-server", "--fast",
            WHISPER_API_URL=server.url, FF_WHISPER_ROLLOUT_PERCENT="", FF_SHADOW_PERCENT="100",
            GOOGLE_STT_ENDPOINT=google.endpoint, GOOGLE_STT_PROJECT_ID="p",
        )  # fmt: skip
    assert called.returncode == 0, called.stderr
    assert "215" not in called.stdout
    assert "двісті" not in called.stdout
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        found = store.window(NOW, datetime.now(UTC))
    assert found.shadows
    assert {(row.live, row.shadow, row.differing_words) for row in found.shadows if row.is_complete} == {
        ("google", "whisper", 1)
    }
    with Recordings(f"sqlite:///{tmp_path / 'experiment.db'}") as recordings:
        assert recordings.listed(NOW, datetime.now(UTC)) == ()  # nobody asked for any
    call_id = found.calls[0].call_id
    told = slukh(tmp_path, "calls", "show", call_id, "--json")
    purposes = {(row["purpose"], row["provider"]) for row in json.loads(told.stdout)["usage"]}
    assert {("serve", "google"), ("shadow", "whisper")} <= purposes


KEY = "0f" * 32


NUMBER = "380671234567"


SAID = ("диски", "шини", "двісті")  # by the caller, as the two wrote it


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a gateway that has taken one call: Whisper heard it, Google was the shadow."""
    folder = tmp_path_factory.mktemp("recorded")

    async def call() -> subprocess.CompletedProcess[str]:
        async with (
            LocalGoogle(lambda _pcm: ["диски", "205/55"]) as google,
            FakeWhisperServer(
                [Says("шини двісті п'ятнадцять на п'ятдесят п'ять", fields=NO_LANGUAGE)] * 9
            ) as server,
        ):
            return await asyncio.to_thread(
                slukh, folder, "call", str(CLIP), "--with-server", "--fast", "--caller", f"+{NUMBER}",
                WHISPER_API_URL=server.url, FF_STT_PROVIDER="whisper", FF_WHISPER_ROLLOUT_PERCENT="",
                FF_SHADOW_PERCENT="100", GOOGLE_STT_ENDPOINT=google.endpoint, GOOGLE_STT_PROJECT_ID="p",
                SLUKH_RECORDING_DAYS="30", SLUKH_RECORDING_KEY=KEY,
            )  # fmt: skip

    called = asyncio.run(call())
    assert called.returncode == 0, called.stderr
    assert "диски" not in called.stdout
    return folder


def test_google_as_the_shadow_of_whisper_is_compared_and_booked(recorded: Path) -> None:
    with ExperimentStore(f"sqlite:///{recorded / 'experiment.db'}") as store:
        found = store.window(NOW, datetime.now(UTC))
    assert {(row.live, row.shadow) for row in found.shadows if row.is_complete} == {("whisper", "google")}
    told = slukh(recorded, "calls", "show", found.calls[0].call_id, "--json")
    purposes = {(row["purpose"], row["provider"]) for row in json.loads(told.stdout)["usage"]}
    assert {("serve", "whisper"), ("shadow", "google")} <= purposes


def test_what_was_recorded_is_the_utterance_with_both_texts(recorded: Path) -> None:
    with Recordings(f"sqlite:///{recorded / 'experiment.db'}", key=bytes.fromhex(KEY)) as recordings:
        entries = recordings.listed(NOW, datetime.now(UTC))
        found = [recordings.read(entry.call_id, entry.utterance_id) for entry in entries]
    assert found
    for one in found:
        assert one is not None
        assert one.texts == {
            "google": "диски 205/55",
            "whisper": "шини двісті п'ятнадцять на п'ятдесят п'ять",
        }
        assert (one.live, one.arm) == ("whisper", "whisper")
        assert len(one.pcm) == 2 * (one.end - one.start) > 0
        assert one.start <= one.speech_start < one.speech_end <= one.end


def test_no_export_has_a_word_or_a_number_of_the_caller_s(recorded: Path) -> None:
    for kind in ("focus-csv", "cloudevents"):
        done = slukh(recorded, "cost", "export", "--format", kind, str(recorded / kind))
        assert done.returncode == 0, done.stderr
    exports = {
        "focus-csv": (recorded / "focus-csv").read_text(encoding="utf-8"),
        "cloudevents": (recorded / "cloudevents").read_text(encoding="utf-8"),
        "report": slukh(recorded, "ab", "report", "--json").stdout,
        "draw": slukh(recorded, "ab", "draw", "--labels", "9").stdout,
        "calls": slukh(recorded, "calls", "list", "--json").stdout,
    }
    with ExperimentStore(f"sqlite:///{recorded / 'experiment.db'}") as store:
        (call,) = store.window(NOW, datetime.now(UTC)).calls
    for name, told in exports.items():
        assert call.call_id in told or name == "report", name
        for secret in (*SAID, NUMBER):
            assert secret not in told, name
            assert json.dumps(secret).strip('"') not in told, name
        assert name == "calls" or str(call.caller) not in told, name


def test_nothing_of_a_call_is_on_disk_in_the_clear(recorded: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(recorded, tmp_path / "copied")
    with contextlib.closing(sqlite3.connect(copied / "experiment.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("DELETE FROM ab_canaries")  # the fakes hear the same words in our own clips
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    written = b"".join(path.read_bytes() for path in copied.rglob("*") if path.is_file())
    for secret in (*SAID, NUMBER):
        assert secret.encode() not in written


def test_a_forgotten_caller_s_recordings_are_gone(recorded: Path) -> None:
    assert slukh(recorded, "forget", f"+{NUMBER}").returncode == 0
    with Recordings(f"sqlite:///{recorded / 'experiment.db'}") as recordings:
        assert recordings.listed(NOW, datetime.now(UTC)) == ()
    assert slukh(recorded, "forget", f"+{NUMBER}").returncode == 1


def test_a_store_without_calls_holds_and_says_why(tmp_path: Path) -> None:
    found = report(tmp_path)
    assert found["decision"] == "HOLD"
    arms = next(reason for reason in found["reasons"] if reason.startswith("arms:"))
    assert "no calls in the arm google and whisper" in arms
    assert "FF_WHISPER_ROLLOUT_PERCENT" in arms


def test_live_calls_are_reported_by_assignment(tmp_path: Path) -> None:
    fill(tmp_path)
    found = report(tmp_path, *CHOSEN)
    assert found["decision"] == "HOLD"
    assert found["inputs"]["calls_by_arm"] == {"google": 90, "whisper": 10}
    assert found["inputs"]["served_by_another"] == 10
    gates = {gate["name"]: gate for gate in found["gates"]}
    assert gates["sample ratio"]["status"] == "pass"
    assert gates["days"]["expected"] is not None
    assert gates["canonical text unchanged"]["status"] == "fail"  # the store's is of another version


def test_a_users_grammars_are_part_of_the_canonical_version(tmp_path: Path) -> None:
    own = tmp_path / "shop.yaml"
    own.write_text("names: {wheelhouse: вілхаус~ уилхаус}\n", encoding="utf-8")
    fill(tmp_path, version=canonical_version(load_grammar("uk-UA", [own])))
    status = []
    for environment in ({}, {"SLUKH_GRAMMARS": str(own)}):
        told = slukh(tmp_path, "ab", "report", "--json", *CHOSEN, **environment)
        gates = {gate["name"]: gate["status"] for gate in json.loads(told.stdout)["gates"]}
        status.append(gates["canonical text unchanged"])
    assert status == ["fail", "pass"]


def test_the_table_says_the_same_to_a_person(tmp_path: Path) -> None:
    fill(tmp_path)
    found = slukh(tmp_path, "ab", "report")
    assert found.stdout.startswith("HOLD")
    assert "calls in uk-UA" in found.stdout


def test_the_page_stands_beside_what_the_terminal_gets(tmp_path: Path) -> None:
    fill(tmp_path)
    page = tmp_path / "verdict.html"
    found = report(tmp_path, "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert f"<h1>{found['decision']}: " in text
    assert all(gate["name"] in text for gate in found["gates"])
    assert f"--until {found['inputs']['until']} --to 50 --seed 1" in text


def test_figures_measured_elsewhere_are_taken_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps({"queue_p95_seconds": 0.2, "cost_per_call": {"google": 3, "whisper": 1}}))
    gates = {gate["name"]: gate["status"] for gate in report(tmp_path, "--evidence", str(path))["gates"]}
    assert (gates["capacity"], gates["cost per call"], gates["words in silence"]) == ("pass", "pass", "wait")


def test_an_owner_s_margins_are_taken_from_a_file_and_named(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "margins.json"
    path.write_text(json.dumps({"repairs": 0.05}))
    found = report(tmp_path, "--margins", str(path))
    assert found["own_margins"] == {"repairs": 0.05}
    assert found["inputs"]["margins"] == {**report(tmp_path)["inputs"]["margins"], "repairs": 0.05}
    told = slukh(tmp_path, "ab", "report", "--margins", str(path)).stdout
    assert "margins of your own: repairs 0.05" in told


@pytest.mark.parametrize("margins", ['{"days": 1}', '{"repairs": 0}', '{"wer": "few"}', "[]"])
def test_a_margin_that_is_none_of_the_owner_s_is_refused(tmp_path: Path, margins: str) -> None:
    (tmp_path / "margins.json").write_text(margins)
    found = slukh(tmp_path, "ab", "report", "--margins", str(tmp_path / "margins.json"))
    assert found.returncode == 2
    assert len(found.stderr.strip().splitlines()) == 1


def test_labels_are_taken_as_counts_and_leave_no_text(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "labels.jsonl").write_text(json.dumps(LABEL) + "\n", encoding="utf-8")
    assert slukh(tmp_path, "ab", "labels", str(tmp_path / "labels.jsonl")).stdout == "1 labels taken\n"
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (label,) = store.window(NOW - timedelta(days=9), NOW).labels
    assert (label.words, label.google_errors, label.whisper_errors) == (2, 0, 1)
    assert (label.entities, label.google_entity_errors, label.whisper_entity_errors) == (1, 0, 2)
    assert "шини".encode() not in (tmp_path / "experiment.db").read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(LABEL | {"probability": 0}), "line 1: probability"),
        (json.dumps(LABEL) + "\n{", "line 2 is not JSON"),
        (json.dumps(LABEL | {"mood": 1}), "mood"),
        (
            json.dumps(LABEL) + "\n" + json.dumps(LABEL | {"utterance_id": 9}),
            "line 2: utterance 9 of call call-1",
        ),
        (json.dumps(LABEL | {"probability": 0.25}), "line 1: probability is 0.25"),
        (json.dumps(LABEL) + "\n" + json.dumps(LABEL | {"language_code": "ru-RU"}), "drawn with uk-UA"),
    ],
)
def test_labels_that_cannot_be_used_are_named_and_none_is_taken(
    tmp_path: Path, content: str, words: str
) -> None:
    fill(tmp_path)
    (tmp_path / "labels.jsonl").write_text(content, encoding="utf-8")
    found = slukh(tmp_path, "ab", "labels", str(tmp_path / "labels.jsonl"))
    assert found.returncode == 2
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert report(tmp_path)["inputs"]["labels"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "yesterday"), "--since"),
        (("--since", "2026-11-08", "--until", "2026-11-01"), "ends before it begins"),
        (("--evidence", "none.json"), "none.json"),
        (("--html", "missing/verdict.html"), "missing is no folder"),
    ],
)
def test_a_bad_option_is_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    found = slukh(tmp_path, "ab", "report", *arguments)
    assert found.returncode == 2
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_all_that_went_wrong_in_a_window_is_named_and_holds(tmp_path: Path) -> None:
    fill(tmp_path)
    label = LabelRow(
        call_id="call-1", utterance_id=1, labeller="olena", probability=0.5, canonical_version="0-old",
        reference="r", words=2, entities=0, google_errors=0, whisper_errors=1, google_entity_errors=0,
        whisper_entity_errors=0,
    )  # fmt: skip
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        calls = store.window(NOW - timedelta(days=9), NOW).calls
        store.record([replace(call, arm="google") for call in calls])
        store.record([
            replace(calls[1], flag_version="1-other-salt"),
            replace(calls[2], arm="google", models={"google": "chirp_2"}),
            replace(calls[3], arm="google", clock_jumped=True),
            replace(calls[4], arm="google", ended_at=calls[4].started_at - timedelta(minutes=2)),
            label, replace(label, labeller="taras", reference="another"),
        ])  # fmt: skip
    found = report(tmp_path, *CHOSEN)
    assert found["decision"] == "HOLD"
    open_ = {gate["name"]: (gate["status"], gate["detail"]) for gate in found["gates"] if gate["missing"]}
    for name, detail in (
        ("arms", "calls drawn by lot: google 100, whisper 0"),
        ("flags unchanged", "seen 0-abc, 1-other-salt"),
        ("models unchanged", "google chirp_2, chirp_3"),
        ("canonical text unchanged", "seen 0-old, 1-x"),
        ("clocks", "2 calls in which the clock jumped"),
        ("labellers agree", "1 of 1 doubly labelled utterances differ"),
    ):
        assert open_[name][0] == "fail", name
        assert detail in open_[name][1]
        assert any(reason.startswith(f"{name}: ") for reason in found["reasons"])


def test_what_to_label_is_drawn_with_its_probability(tmp_path: Path) -> None:
    fill(tmp_path)
    lines = slukh(tmp_path, "ab", "draw", "--labels", "5").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"call_id": "call-1", "utterance_id": 1, "language_code": "uk-UA", "probability": 1.0}
    ]
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (row,) = store.draws()
    assert (row.key, row.probability, row.position, row.seed) == (DRAWN.key, 1.0, 1, 1)
    assert row.since < NOW < row.until


def test_a_window_is_drawn_with_one_seed(tmp_path: Path) -> None:
    fill(tmp_path)
    refused = slukh(tmp_path, "ab", "draw", "--labels", "5", "--seed", "2")
    assert refused.returncode == 2
    assert "drawn with the seed 1, not 2" in refused.stderr


def test_that_nobody_can_tell_what_was_said_is_an_answer(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "labels.jsonl").write_text(json.dumps(LABEL | {"reference": None}) + "\n", encoding="utf-8")
    assert slukh(tmp_path, "ab", "labels", str(tmp_path / "labels.jsonl")).stdout == "1 labels taken\n"
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (label,) = store.window(NOW - timedelta(days=9), NOW).labels
    assert label.is_unclear
    assert (label.words, label.google_errors, label.whisper_errors, label.entities) == (0, 0, 0, 0)


def test_a_window_begins_after_the_last_change_and_says_what_it_was(tmp_path: Path) -> None:
    fill(tmp_path)
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        calls = {call.call_id: call for call in store.window(NOW - timedelta(days=9), NOW).calls}
        store.record([
            replace(calls[f"call-{n}"], flag_version="0-older") for n in range(60, 100)
        ])  # fmt: skip
        store.forget(["call-1"])
    found = report(tmp_path)
    begin = found["inputs"]["begin"]
    assert begin["why"] == "flags were 0-older before"
    assert not begin["is_chosen"]
    assert (found["inputs"]["since"], found["inputs"]["calls"]) == (begin["at"], 59)
    gates = {gate["name"]: gate["status"] for gate in found["gates"]}
    assert gates["flags unchanged"] == "pass"


def test_a_window_that_begins_elsewhere_says_that_somebody_chose_it(tmp_path: Path) -> None:
    fill(tmp_path, version=canonical_version(load_grammar("uk-UA")))
    natural = report(tmp_path)["inputs"]["begin"]
    assert natural["why"] == "the first call drawn by lot"
    chosen = []
    for hours in (200, 99, 50):  # before all calls; at the first; calls are left out
        since = (NOW - timedelta(hours=hours)).isoformat()
        chosen.append(report(tmp_path, "--since", since)["inputs"]["begin"]["is_chosen"])
    assert chosen == [False, False, True]
    told = slukh(tmp_path, "ab", "report", "--since", (NOW - timedelta(hours=50)).isoformat()).stdout
    assert "chosen: by what happened the window begins" in told
