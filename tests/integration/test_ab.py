"""`slukh ab` as a person uses it, over a store on disk."""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from slukh.experiment.canonical import canonical_version
from slukh.experiment.evidence import CallRow, DrawRow, LabelRow, ShadowRow
from slukh.experiment.grammar import load_grammar
from slukh.experiment.recordings import Recordings
from slukh.experiment.store import ExperimentStore
from slukh.routing.rollback import Rollback
from slukh.routing.share_files import RollbackFile, write_share
from slukh.testing.google import LocalGoogle
from slukh.testing.whisper_server import FakeWhisperServer, Says

NOW = datetime.now(UTC)
CLIP = Path(__file__).parents[2] / "src" / "slukh" / "stt" / "clips" / "uk-UA.wav"
NO_LANGUAGE = {"language": None}  # the stored clips are in two
LABEL = {
    "call_id": "call-1", "utterance_id": 1, "labeller": "olena", "language_code": "uk-UA", "probability": 0.5,
    "reference": "шини двісті п'ять на п'ятдесят п'ять", "google": "шини 205/55", "whisper": "шини 215/55",
}  # fmt: skip


DRAWN = DrawRow(call_id="call-1", utterance_id=1, language_code="uk-UA", probability=0.5)


def slukh(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = ("SLUKH_", "FF_", "WHISPER_", "GOOGLE_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "slukh", *arguments],
        env=clean | {"SLUKH_DATA_DIR": str(folder), "FF_WHISPER_ROLLOUT_PERCENT": "10"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fill(folder: Path, *, version: str = "1-x") -> None:
    calls = [
        CallRow(
            call_id=f"call-{n}", caller=f"caller-{n}", language_code="uk-UA",
            arm="whisper" if n % 10 == 0 else "google", flag_reason="SPLIT", flag_version="0-abc",
            serving="google", models={"google": "chirp_3"}, started_at=NOW - timedelta(hours=n + 1),
            ended_at=NOW - timedelta(hours=n), end_reason="hangup",
        )
        for n in range(100)
    ]  # fmt: skip
    shadow = ShadowRow(
        call_id="call-1", utterance_id=1, live="google", shadow="whisper", canonical_version=version,
        is_complete=True, differing_words=1, live_words=2, shadow_words=2,
    )  # fmt: skip
    with ExperimentStore(f"sqlite:///{folder / 'experiment.db'}") as store:
        store.record([*calls, shadow, DRAWN])


def report(folder: Path, *more: str) -> dict[str, Any]:
    found = slukh(folder, "ab", "report", "--json", *more)
    assert found.returncode == 0, found.stderr
    told: dict[str, Any] = json.loads(found.stdout)
    return told


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
    assert "arms: no calls in the arm google and whisper" in found["reasons"]


def test_live_calls_are_reported_by_assignment(tmp_path: Path) -> None:
    fill(tmp_path)
    found = report(tmp_path)
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
        told = slukh(tmp_path, "ab", "report", "--json", **environment)
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


def flag_file(folder: Path) -> Path:
    path = folder / "flags.json"
    path.write_text(json.dumps({"version": 7, "weights": {"google": 90, "whisper": 10}, "salt": "s"}))
    return path


def with_flag_file(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return slukh(
        folder, *arguments, SLUKH_FLAG_FILE=str(folder / "flags.json"), FF_WHISPER_ROLLOUT_PERCENT=""
    )


def test_more_calls_take_a_promote_or_a_reason_that_is_recorded(tmp_path: Path) -> None:
    path = flag_file(tmp_path)
    refused = with_flag_file(tmp_path, "ab", "ramp", "--to", "50")
    assert refused.returncode == 2
    assert "HOLD, not PROMOTE" in refused.stderr
    assert "--override" in refused.stderr
    assert json.loads(path.read_text())["version"] == 7
    done = with_flag_file(tmp_path, "ab", "ramp", "--to", "50", "--override", "the owner wants it")
    assert done.stdout.startswith(
        "Whisper: 10 to 50 % (HOLD, because the owner wants it)\nits verdict again: "
    )
    assert json.loads(path.read_text()) == {
        "version": 8, "weights": {"google": 50, "whisper": 50}, "salt": "s",
    }  # fmt: skip
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (row,) = store.ramps()
    assert (row.from_percent, row.to_percent, row.override) == (10, 50, "the owner wants it")


def test_a_report_of_the_past_is_the_same_after_a_ramp(tmp_path: Path) -> None:
    fill(tmp_path)
    flag_file(tmp_path)
    window = ("--since", (NOW - timedelta(days=9)).isoformat(), "--until", NOW.isoformat())
    before = with_flag_file(tmp_path, "ab", "report", "--json", *window)
    assert with_flag_file(tmp_path, "ab", "ramp", "--to", "50", "--override", "try").returncode == 0
    after = with_flag_file(tmp_path, "ab", "report", "--json", *window)
    assert json.loads(before.stdout)["inputs"]["whisper_share"] == 0.1
    assert after.stdout == before.stdout


def test_the_verdict_that_a_ramp_stood_on_can_be_made_again_and_says_what_changed(tmp_path: Path) -> None:
    fill(tmp_path)
    flag_file(tmp_path)
    (tmp_path / "known.json").write_text('{"queue_p95_seconds": 0.3}')
    window = ("--since", (NOW - timedelta(days=9)).isoformat(), "--until", NOW.isoformat())
    asked = (*window, "--evidence", str(tmp_path / "known.json"), "--seed", "7")
    done = with_flag_file(tmp_path, "ab", "ramp", "--to", "50", "--override", "try", *asked)
    command = shlex.split(done.stdout.splitlines()[1].removeprefix("its verdict again: slukh "))
    again = json.loads(with_flag_file(tmp_path, *command, "--json").stdout)
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (row,) = store.ramps()
        store.record([replace(store.window(NOW - timedelta(days=1), NOW).calls[3], arm="whisper")])
    assert again["inputs"] == row.inputs
    assert (again["inputs"]["seed"], again["inputs"]["whisper_share"]) == (7, 0.1)
    other = json.loads(with_flag_file(tmp_path, *command, "--json", "--seed", "8").stdout)
    told = [
        next(gate for gate in found["gates"] if gate["name"] == "inputs as recorded")
        for found in (again, other)
    ]
    assert [(gate["status"], gate["detail"]) for gate in told] == [
        ("pass", "as the ramp had them"),
        (
            "fail",
            "changed since the ramp: calls_by_arm.google, calls_by_arm.whisper, seed, served_by_another",
        ),
    ]


def test_a_rollback_that_came_after_a_window_holds_no_verdict_on_it(tmp_path: Path) -> None:
    fill(tmp_path)
    told = str(rolled_back(tmp_path))
    window = ("--since", "2026-11-01", "--until")
    statuses = []
    for until in ("2026-11-20", "2026-11-21"):
        found = report(tmp_path, *window, until)
        (gate,) = (gate for gate in found["gates"] if gate["name"] == "guardrails")
        statuses.append((gate["status"], gate["detail"]))
    assert statuses == [("pass", "no rollback stands"), ("fail", told)]


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
    found = report(tmp_path)
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


def rolled_back(folder: Path) -> Rollback:
    """What a gateway leaves behind."""
    rollback = Rollback(
        at=datetime(2026, 11, 20, 13, 5, tzinfo=UTC), reason="guardrail: errors: 40%", from_percent=10
    )
    RollbackFile(folder / "rollback.json").write(rollback)
    return rollback


def test_a_rollback_is_reported_and_holds(tmp_path: Path) -> None:
    fill(tmp_path)
    told = str(rolled_back(tmp_path))
    gates = {gate["name"]: gate for gate in report(tmp_path)["gates"]}
    assert (gates["guardrails"]["status"], gates["guardrails"]["detail"]) == ("fail", told)
    findings = json.loads(slukh(tmp_path, "doctor", "--json").stdout)
    (finding,) = (finding for finding in findings if finding["check"] == "rollout")
    assert finding["ok"]
    assert finding["detail"].startswith(told)


def test_a_person_ends_a_rollback_of_the_environments_share_with_a_reason(tmp_path: Path) -> None:
    told = str(rolled_back(tmp_path))
    refused = slukh(tmp_path, "ab", "ramp", "--to", "10")
    assert refused.returncode == 2
    assert "HOLD, not PROMOTE" in refused.stderr
    other = slukh(tmp_path, "ab", "ramp", "--to", "50", "--override", "mended")
    assert "`slukh ab ramp --to 10` ends the rollback" in other.stderr
    done = slukh(tmp_path, "ab", "ramp", "--to", "10", "--override", "mended")
    assert done.stdout.startswith(f"{told}\nWhisper: 0 to 10 % (HOLD, because mended)\n")
    assert not (tmp_path / "rollback.json").exists()
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        (row,) = store.ramps()
    assert (row.from_percent, row.to_percent, row.override) == (0, 10, "mended")


def test_a_ramp_takes_a_rollback_out_of_the_flag_file(tmp_path: Path) -> None:
    path = flag_file(tmp_path)
    write_share(path, 0, rolled_back=rolled_back(tmp_path))
    done = with_flag_file(tmp_path, "ab", "ramp", "--to", "10", "--override", "mended")
    assert done.stdout.startswith("Whisper was rolled back from 10 % at 2026-11-20 13:05 UTC")
    assert json.loads(path.read_text()) == {
        "version": 9, "weights": {"google": 90, "whisper": 10}, "salt": "s",
    }  # fmt: skip


def test_less_takes_neither_a_promote_nor_a_reason(tmp_path: Path) -> None:
    path = flag_file(tmp_path)
    assert with_flag_file(tmp_path, "ab", "ramp", "--to", "0").returncode == 0
    assert json.loads(path.read_text())["weights"] == {"google": 100, "whisper": 0}


@pytest.mark.parametrize(
    ("to", "way"), [("0", "FF_WHISPER_KILL=true"), ("50", "FF_WHISPER_ROLLOUT_PERCENT=50")]
)
def test_without_a_flag_file_the_way_is_named(tmp_path: Path, to: str, way: str) -> None:
    refused = slukh(tmp_path, "ab", "ramp", "--to", to)
    assert refused.returncode == 2
    assert f"set SLUKH_FLAG_FILE, or restart with {way}" in refused.stderr


def test_what_to_label_is_drawn_with_its_probability(tmp_path: Path) -> None:
    fill(tmp_path)
    lines = slukh(tmp_path, "ab", "draw", "--labels", "5").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [asdict(DRAWN) | {"probability": 1.0}]
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as store:
        assert store.draws() == (replace(DRAWN, probability=1.0),)
