"""The house keeps its shape: who may import whom, and which names are public."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import slukh

SOURCE = Path(slukh.__file__).parent

VOCABULARY = {"types", "errors"}
# A part may import what stands here, itself, and the vocabulary. Order: the straight line of doc/design.md.
MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "audio": set(),
    "weights_sources": set(),
    "weights": {"weights_sources"},
    "speech": {"audio"},
    "telephony": {"audio"},
    "stt": {"audio", "weights"},
    "routing": {"stt", "speech"},
    "cost": set(),
    "experiment": set(),
    "monitoring": {"cost", "routing"},  # the closed sets of usage stages and breaker states
    "config": {"routing", "stt"},  # what a flag may be, and the languages
    "session": {"routing", "speech", "stt", "telephony"},
    "callbook": {"routing", "telephony"},  # who hears a call, and its clock, kept for its next leg
    "web": {"callbook", "stt"},
    "assembly": {"config", "routing", "speech", "stt", "weights"},
    "gateway": {"assembly", "callbook", "routing", "session", "telephony"},
    "transcribe": {"assembly", "config", "session", "telephony"},
    "engine": {"assembly", "audio", "config", "routing", "speech", "stt"},
    "caller": {"telephony"},
    "terminal": set(),
    "doctor": {"assembly", "config", "cost", "experiment", "routing", "stt", "weights"},
    "server": {
        "assembly",
        "audio",
        "callbook",
        "config",
        "cost",
        "experiment",
        "gateway",
        "monitoring",
        "routing",
        "telephony",
        "web",
    },
    "testing": {
        "__init__",
        "assembly",
        "audio",
        "callbook",
        "config",
        "cost",
        "gateway",
        "monitoring",
        "routing",
        "server",
        "session",
        "speech",
        "stt",
        "telephony",
        "web",
    },
    "commands": {"config", "cost", "experiment", "monitoring", "terminal", "testing", "weights"},
    "cli": {
        "__init__",
        "caller",
        "commands",
        "config",
        "doctor",
        "monitoring",
        "server",
        "telephony",
        "terminal",
        "testing",
        "transcribe",
    },
    "__main__": {"cli"},
    "__init__": set(),
}

# Each of these stands in one place, so that the rest can be tested without it.
ONLY_IN = {
    "prometheus_client": {"monitoring/metrics.py"},
    "sqlalchemy": {
        "cost/ledger.py",
        "cost/ledger_calls.py",
        "cost/ledger_engines.py",
        "cost/ledger_tables.py",
        "cost/rated_lines.py",
        "cost/rated_rows.py",
    },
    "psycopg": {"cost/ledger_engines.py", "testing/local_postgres.py"},
    "onnxruntime": {"speech/vad.py"},
    "ctranslate2": {"stt/whisper/model.py"},
    "faster_whisper": {"stt/whisper/model.py"},
    "huggingface_hub": {"weights_sources.py"},
    "mmh3": {"routing/rollout.py"},
    "matplotlib": {"cost/report/curves.py", "cost/report/plots.py", "cost/report/svg.py"},
    "genai_prices": {"cost/genai_book.py"},
    "yaml": {"cost/yaml_lines.py"},
    "openfeature": {"routing/flag_provider.py"},
    "websockets": {"telephony/asterisk_websocket.py", "testing/websocket_calls.py"},
}

SANS_IO = (
    "types.py", "errors.py", "audio.py", "speech/segmenter.py", "speech/listener.py", "routing/attempts.py",
    "routing/rollout.py", "routing/flags.py", "routing/flag_values.py", "routing/breaker.py",
    "routing/breaker_store.py", "routing/reconnects.py", "routing/upstreams.py", "routing/choosing.py",
    "telephony/asterisk_websocket.py", "telephony/audiosocket.py", "telephony/base.py", "telephony/clock.py",
    "cost/meter.py", "cost/price.py", "cost/tiers.py", "cost/charge.py", "cost/rating.py", "cost/fixed.py",
    "cost/llm_tokens.py", "cost/yaml_lines.py",
    "cost/capacity.py", "cost/roi.py", "cost/breakdown.py", "cost/scenario_usage.py", "cost/call_costs.py",
    "cost/decision.py", "cost/uncertainty.py",
    "experiment/wer.py", "stt/language.py", "stt/whisper/agreement.py", "stt/whisper/guard.py",
)  # fmt: skip

# What people outside import; everything else may move.
PUBLIC = {
    "__init__.py": "__version__",
    "engine.py": "EngineTranscript STTEngine",
    "stt/base.py": "Capabilities Hypothesis Rejection Result StreamConfig SttProvider SttStream",
    "types.py": "AttemptEnded AudioChunk AudioGap CallEnded CallEvent CallStarted DROP_REASONS DropReason "
    "Dtmf Event event_json event_name Failover FlagDecision Outcome OUTCOMES Purpose PURPOSES "
    "RecognisersDown ResultDropped SAMPLE_RATE_HERTZ samples_from_ms seconds SpeechEnded "
    "SpeechStarted SwitchReason TOKEN_UNITS Transcript Unit UNITS UNITS_PER_REQUEST Usage Word",
    "errors.py": "AudioFileError ErrorType LedgerError PriceError REFUSAL_REASONS RefusalReason STT_ERRORS "
    "ScenarioError ServiceError SettingsError SlukhError SttAuthenticationError SttConnectError SttError "
    "SttOverloadedError SttProtocolError SttRequestError SttStreamError SttTimeoutError "
    "TelephonyError UserError WeightsError",
}

FILES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of every module a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((SOURCE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module or "")
    return names


def part(name: str) -> str:
    """The part of the house that a dotted name or a path belongs to."""
    return name.removeprefix("slukh").lstrip(".").split(".")[0] or "__init__"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path) -> None:
    own = path.parts[0].removesuffix(".py")
    allowed = MAY_IMPORT[own] | VOCABULARY | {own}
    ours = {part(name) for name in imported(path) if name.split(".")[0] == "slukh"}
    assert ours <= allowed, f"{path} imports {sorted(ours - allowed)}"


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
