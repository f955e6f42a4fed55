"""The house keeps its shape: who may import whom, and which names are public."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import slukh

SOURCE = Path(slukh.__file__).parent

VOCABULARY = {"types", "errors"}
# Folders whose files are parts of their own.
PARTED = ("assembly", "serving")
# A part may import what stands here, itself, and the vocabulary. Order: the straight line of doc/design.md.
MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "audio": set(),
    "audio_files": {"audio"},
    "unlogged": set(),
    "weights_sources": set(),
    "weights": {"weights_sources"},
    "speech": {"audio"},
    "telephony": {"audio", "audio_files", "unlogged"},
    "yaml_lines": set(),
    "background": set(),
    "report": set(),
    "databases": set(),
    "google_access": set(),
    "stt": {"audio", "google_access", "unlogged", "weights"},
    "routing": {"background", "stt", "speech"},
    "tts": {"audio", "audio_files", "google_access", "yaml_lines"},
    "dialog": {"tts", "yaml_lines"},
    "talking": {"audio", "dialog", "speech", "telephony", "tts"},
    "assembly.voices": {"settings", "tts"},
    # cost: the meter's ids, and its tally of phrases
    "assembly.answering": {"cost", "dialog", "settings", "talking", "telephony", "tts", "assembly.voices"},
    "cost": {"databases", "report", "yaml_lines"},
    "experiment": {"audio", "databases", "report", "yaml_lines"},
    "monitoring": {"cost", "routing"},  # the closed sets of usage stages and breaker states
    "serving.guarding": {"experiment", "monitoring", "routing", "settings"},
    "settings": {"routing", "stt"},  # what a flag may be; the languages, and addresses of Whisper servers
    "session": {"routing", "speech", "stt", "telephony"},
    "serving.callbook": {"routing", "talking", "telephony"},  # what is kept of a call for its next leg
    "callers": set(),
    "web": {"serving.callbook", "callers", "stt"},
    "assembly.parts": {"background", "routing", "settings", "speech", "stt", "weights"},
    "serving.gateway": {"assembly.parts", "serving.callbook", "routing", "session", "talking", "telephony"},
    "transcribe": {"assembly.parts", "audio_files", "session", "settings", "telephony"},
    "evaluation": {
        "assembly.parts",
        "audio",
        "audio_files",
        "cost",
        "experiment",
        "session",
        "settings",
        "stt",
        "telephony",
    },
    "engine": {"assembly.parts", "audio", "routing", "settings", "speech", "stt"},
    "caller": {"audio", "audio_files", "handset", "ports", "telephony"},
    "handset": {"audio", "telephony"},
    "terminal": {"experiment"},
    "ports": set(),
    "serving.accuracy": {"experiment", "monitoring", "routing", "stt"},
    "serving.comparing": {
        "assembly.parts",
        "background",
        "experiment",
        "monitoring",
        "routing",
        "settings",
    },
    "serving.metering": {"cost", "monitoring", "settings"},
    "serving.phrase_keeping": {"cost"},
    "doctor": {
        "assembly.parts",
        "cost",
        "databases",
        "doctor_voice",
        "experiment",
        "ports",
        "routing",
        "settings",
        "stt",
        "weights",
    },
    "doctor_voice": {"assembly.answering", "settings", "tts"},
    "serving.call_log": {"serving.callbook"},
    "serving.standing_log": {"routing"},
    "serving.process": {
        "serving.accuracy",
        "assembly.answering",
        "assembly.parts",
        "audio",
        "audio_files",
        "serving.call_log",
        "serving.callbook",
        "callers",
        "serving.comparing",
        "cost",
        "experiment",
        "serving.gateway",
        "serving.guarding",
        "serving.metering",
        "serving.standing_log",
        "serving.phrase_keeping",
        "monitoring",
        "routing",
        "session",
        "settings",
        "stt",
        "telephony",
        "assembly.voices",
    },
    "server": {
        "background",
        "experiment",
        "serving.gateway",
        "ports",
        "serving.process",
        "routing",
        "settings",
        "telephony",
        "web",
    },
    "conformance": {"audio", "experiment", "routing", "stt"},
    "testing": {
        "__init__",
        "assembly.answering",
        "assembly.parts",
        "audio",
        "audio_files",
        "serving.call_log",
        "serving.callbook",
        "conformance",
        "cost",
        "dialog",
        "serving.gateway",
        "monitoring",
        "ports",
        "routing",
        "session",
        "settings",
        "speech",
        "stt",
        "talking",
        "telephony",
        "tts",
        "web",
    },
    "commands": {
        "assembly.answering",
        "audio",
        "audio_files",
        "callers",
        "conformance",
        "cost",
        "evaluation",
        "experiment",
        "monitoring",
        "report",
        "routing",
        "settings",
        "stt",
        "telephony",
        "terminal",
        "testing",
        "tts",
        "assembly.voices",
        "weights",
    },
    "cli": {
        "__init__",
        "audio_files",
        "caller",
        "commands",
        "doctor",
        "monitoring",
        "server",
        "settings",
        "stt",
        "telephony",
        "terminal",
        "testing",
        "transcribe",
    },
    "__main__": {"cli"},
    "__init__": set(),
    **{folder: set[str]() for folder in PARTED},
}

# Folders of cost, in their order: none imports one below it.
COST_ORDER = ("pricing", "ledger", "estimates", "report")

# Each of these stands in one place, so that the rest can be tested without it.
ONLY_IN = {
    "prometheus_client": {"monitoring/metrics.py"},
    "duckdb": {"cost/ledger/parquet.py"},
    "sqlalchemy": {
        "cost/ledger/adjustments.py",
        "cost/ledger/store.py",
        "cost/ledger/calls.py",
        "cost/ledger/forgetting.py",
        "cost/ledger/phrases.py",
        "cost/ledger/tables.py",
        "cost/ledger/rated_lines.py",
        "cost/ledger/rated_rows.py",
        "databases.py",
        "experiment/recordings.py",
        "experiment/store.py",
    },
    "cryptography": {"experiment/sealing.py", "testing/rival_pipecat.py"},
    "psycopg": {"databases.py", "testing/local_postgres.py"},
    "onnxruntime": {"speech/vad.py"},
    "ctranslate2": {"stt/whisper/model.py"},
    "faster_whisper": {"stt/whisper/model.py"},
    "huggingface_hub": {"weights_sources.py"},
    "yaml": {"yaml_lines.py"},
    "mmh3": {"routing/rollout.py"},
    "matplotlib": {
        "cost/report/curves.py",
        "cost/report/plots.py",
        "experiment/report/intervals.py",
        "report/rows.py",
        "report/svg.py",
    },
    "genai_prices": {"cost/pricing/genai_book.py"},
    "openfeature": {"routing/flag_provider.py"},
    "anthropic": {
        "dialog/claude_client.py",
        "dialog/claude_errors.py",
        "dialog/claude_request.py",
        "dialog/claude_stream.py",
    },
    "piper": {"tts/piper_child.py"},  # GPL: in a process of its own
    "redis": {"tts/redis_cache.py"},
    "websockets": {
        "stt/whisper/websocket.py",
        "telephony/websocket.py",
        "testing/plain_whisper.py",
        "testing/socket_server.py",
        "testing/websocket_calls.py",
    },
}

SANS_IO = (
    "types.py", "errors.py", "audio.py", "speech/segmenter.py", "speech/listener.py",
    "routing/attempts.py", "routing/rollout.py", "routing/flags.py", "routing/flag_values.py",
    "routing/breaker.py", "routing/breaker_store.py", "routing/reconnects.py", "routing/upstreams.py",
    "routing/choosing.py", "tts/base.py", "tts/phrases.py", "tts/wav.py", "tts/google_errors.py",
    "tts/shapes.py", "tts/joining.py", "cost/phrase_tally.py", "cost/ledger/phrase_ranking.py",
    "cost/ledger/phrase_economy.py",
    "dialog/base.py", "dialog/numbers.py", "dialog/scripted.py", "talking/echo.py", "talking/turns.py",
    "telephony/twilio.py", "telephony/asterisk_websocket.py", "telephony/audiosocket.py",
    "telephony/base.py", "telephony/clock.py", "telephony/websocket.py", "cost/meter.py",
    "cost/pricing/price.py", "cost/pricing/tiers.py", "cost/pricing/charge.py",
    "cost/pricing/rating.py", "cost/pricing/fixed.py", "cost/pricing/llm_tokens.py", "yaml_lines.py",
    "experiment/wer.py", "stt/language.py", "stt/whisper/agreement.py", "stt/whisper/guard.py",
    "experiment/canonical.py", "experiment/numbers.py", "experiment/scoring.py",
    "experiment/rewriting.py", "experiment/tokens.py",
    "experiment/statistics/estimates.py", "experiment/statistics/labelled.py",
    "experiment/statistics/mapsswe.py", "experiment/statistics/planning.py",
    "experiment/statistics/quantiles.py", "experiment/statistics/sequential.py",
    "cost/estimates/capacity.py", "cost/estimates/roi.py", "cost/estimates/breakdown.py",
    "cost/estimates/scenario_usage.py", "cost/estimates/call_costs.py", "cost/estimates/decision.py",
    "cost/estimates/uncertainty.py", "conformance/report.py", "stt/whisper/address.py",
    "stt/whisper/conversation.py", "stt/whisper/deepgram.py", "stt/whisper/finals.py",
    "stt/whisper/http_answers.py", "stt/whisper/http_events.py", "stt/whisper/realtime.py",
    "stt/whisper/whisperlive.py", "stt/whisper/whisperlivekit.py", "stt/whisper/wyoming_events.py",
    "experiment/evidence.py", "experiment/gates.py", "experiment/measures.py", "experiment/validity.py",
    "experiment/verdict.py", "experiment/paired.py", "experiment/drawing.py",
    "experiment/answered.py", "experiment/pairing.py", "experiment/label_validity.py", "experiment/strata.py",
    "experiment/begins.py", "experiment/units.py",
    "experiment/ramps.py",
    "cost/pricing/fixed_share.py", "cost/ledger/waste.py", "cost/ledger/prompt_waste.py",
    "experiment/canaries.py", "experiment/accuracy.py", "experiment/report/sections.py",
    "report/blocks.py", "report/markdown.py", "experiment/recorded.py", "experiment/sealing.py",
    "talking/answer.py", "talking/pace.py", "talking/suspects.py", "talking/thread.py",
    "experiment/counting.py", "experiment/labelling/clips.py", "experiment/labelling/differences.py",
    "experiment/labelling/judging.py", "experiment/labelling/questions.py",
    "experiment/labelling/session.py", "experiment/labelling/sharing.py",
    "stt/whisper/timings.py", "testing/whisper_rows.py",
    "experiment/guardrails.py", "experiment/live_turns.py", "experiment/statistics/detection.py",
    "routing/rollback.py", "experiment/traffic.py", "cost/estimates/group_costs.py",
    "experiment/silence.py", "experiment/statistics/betting.py", "stt/remedies.py",
    "stt/whisper/speaches_turns.py",
)  # fmt: skip

# What people outside import; everything else may move.
PUBLIC = {
    "__init__.py": "__version__",
    "engine.py": "EngineTranscript STTEngine",
    "stt/base.py": "Capabilities Hypothesis Rejection Result StreamConfig SttProvider SttStream",
    "tts/base.py": "SpeechRequest TtsCapabilities TtsProvider Voice",
    "types.py": "AttemptEnded AudioChunk AudioGap BargeIn CallCost CallEnded CallEvent CallSettled "
    "CallStarted "
    "DROP_REASONS DropReason Dtmf Event event_json event_name Failover FlagDecision "
    "ModelAnswered ModelUnanswered Outcome OUTCOMES PhraseSpoken Purpose PURPOSES RecognisersDown "
    "ResultDropped SAMPLE_RATE_HERTZ samples_from_ms seconds SpeechEnded SpeechStarted "
    "SpokenOutcome SwitchReason TOKEN_UNITS Transcript TURN_BUDGET_SECONDS TurnTimed Unit "
    "UNITS UNITS_PER_REQUEST UNANSWERED Usage Word",
    "errors.py": "AudioFileError DialogError ErrorType ExperimentError LedgerError PriceError "
    "REFUSAL_REASONS RefusalReason ScenarioError ServiceError SettingsError SlukhError "
    "StatementError STT_ERRORS SttAuthenticationError SttConnectError SttError "
    "SttLanguageError SttLimitError SttOverloadedError SttProtocolError SttRequestError "
    "SttStreamError SttTimeoutError TelephonyError TtsAuthenticationError TtsConnectError "
    "TtsError TtsOverloadedError TtsProtocolError TtsRequestError TtsStreamError "
    "TtsTimeoutError UserError WeightsError why_unreadable",
}

FILES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Dotted names of every module a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((SOURCE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module or "")
    return frozenset(names)


def part(name: str) -> str:
    """The part of the house that a dotted name belongs to."""
    first, *rest = name.removeprefix("slukh").lstrip(".").split(".")
    return ".".join([first, *rest[:1]]) if first in PARTED else first or "__init__"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path) -> None:
    own = part(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    allowed = MAY_IMPORT[own] | VOCABULARY | {own}
    ours = {part(name) for name in imported(path) if name.split(".")[0] == "slukh"}
    assert ours <= allowed, f"{path} imports {sorted(ours - allowed)}"


@pytest.mark.parametrize("folder", COST_ORDER)
def test_cost_goes_from_prices_to_the_report(folder: str) -> None:
    later = COST_ORDER[COST_ORDER.index(folder) + 1 :]
    names = {name for path in FILES if path.parts[:2] == ("cost", folder) for name in imported(path)}
    assert not [name for name in names if name.startswith(tuple(f"slukh.cost.{place}" for place in later))]


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_stands_in_one_place(library: str) -> None:
    users = {str(path) for path in FILES if library in {name.split(".")[0] for name in imported(path)}}
    assert users == ONLY_IN[library]


@pytest.mark.parametrize("path", SANS_IO)
def test_a_core_does_no_input_or_output(path: str) -> None:
    forbidden = {"asyncio", "socket", "threading", "time", "subprocess", "httpx", "os"}
    assert not imported(Path(path)) & forbidden


def test_nothing_that_ships_imports_the_tests_own_tools() -> None:
    users = {path.parts[0] for path in FILES if any(n.startswith("slukh.testing") for n in imported(path))}
    assert users <= {"testing", "commands", "cli.py"}  # its benches


def test_what_is_an_extra_is_imported_only_when_it_is_wanted() -> None:
    extras = (
        "anthropic", "cryptography", "ctranslate2", "duckdb", "faster_whisper", "google", "grpc",
        "matplotlib", "psycopg", "redis", "scipy",
    )  # fmt: skip
    code = f"import sys, slukh.cli, slukh.server; print({{*sys.modules}} & {{*{extras}}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def defined(path: str) -> Iterator[str]:
    """Names that a file defines for others."""
    for node in ast.parse((SOURCE / path).read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


@pytest.mark.parametrize("path", PUBLIC)
def test_the_public_names_are_these(path: str) -> None:
    own = {"__all__", "logger"}
    public = {name for name in defined(path) if name.startswith("__") or not name.startswith("_")}
    assert public - own == set(PUBLIC[path].split())
