"""A gateway's recognisers against every reference, over a real store."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from slukh.errors import ExperimentError
from slukh.experiment.canonical import canonical_version
from slukh.experiment.evidence import CallRow, CanaryRow, LabelRow, ShadowRow
from slukh.experiment.grammar import load_grammar
from slukh.experiment.sink import ExperimentSink
from slukh.experiment.store import ExperimentStore
from slukh.monitoring.metrics import Metrics
from slukh.routing.health import Heard, stored_clips
from slukh.serving.accuracy import AccuracyWatch
from slukh.stt.fake import FakeProvider
from slukh.testing.numbered import heard_words

NOW = datetime.now(UTC)
CLIP = stored_clips()[0]
VERSION = canonical_version(load_grammar("uk-UA"))
CALL = CallRow(
    call_id="a", caller=None, language_code="uk-UA", arm="google", flag_reason="SPLIT", flag_version="1-x",
    serving="google", models={}, started_at=NOW, ended_at=NOW, end_reason="hangup",
)  # fmt: skip
SHADOW = ShadowRow(
    call_id="a", utterance_id=1, live="google", shadow="whisper", canonical_version=VERSION, is_complete=True,
    differing_words=1, live_words=10, shadow_words=5,
)  # fmt: skip
LABEL = LabelRow(
    call_id="a", utterance_id=1, labeller="olena", probability=0.5, canonical_version=VERSION, reference="r",
    words=4, entities=0, google_errors=1, whisper_errors=0, google_entity_errors=0, whisper_entity_errors=0,
)  # fmt: skip


class Gateway:
    """What a gateway has of the comparison; its recognisers are `google` and `whisper`."""

    def __init__(self, store: ExperimentStore, *grammars: Path) -> None:
        self.store = store
        self.sink = ExperimentSink(store, grammars=grammars)
        self.providers = {name: FakeProvider(heard_words, name=name) for name in ("google", "whisper")}
        self.metrics = Metrics(providers=self.providers)
        self.comparing = AccuracyWatch(
            store, self.sink, self.metrics, providers=self.providers, grammars=grammars
        )

    def hears(self, text: str, *, is_kept: bool = True) -> None:
        self.comparing.heard_clip("google", Heard(clip=CLIP, text=text, final_seconds=0.2), is_kept=is_kept)

    def written(self) -> tuple[CanaryRow, ...]:
        self.sink.start()
        self.sink.stop()
        return self.store.canaries(NOW - timedelta(days=1), datetime.now(UTC))

    def shown(self, name: str, **labels: str) -> float:
        page = self.metrics.render()[0].decode()
        (value,) = (
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        )
        return value

    def accuracy(self, provider: str, reference: str) -> tuple[float | None, float]:
        """1 - WER, None until measured, and the words it is of."""
        labels = {"provider": provider, "language": "uk-UA", "reference": reference}
        value = self.shown("stt_provider_accuracy", **labels)
        words = self.shown("stt_provider_accuracy_words", **labels)
        return (None if math.isnan(value) else value), words


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ExperimentStore]:
    with ExperimentStore(f"sqlite:///{tmp_path / 'experiment.db'}") as found:
        yield found


async def test_live_calls_are_measured_against_people_and_the_other_provider(store: ExperimentStore) -> None:
    store.record([CALL, SHADOW, replace(SHADOW, utterance_id=2, is_complete=False), LABEL])
    gateway = Gateway(store)
    assert gateway.accuracy("google", "human") == (None, 0)
    await gateway.comparing.measure()
    assert gateway.accuracy("google", "human") == (0.75, 4)
    assert gateway.accuracy("whisper", "human") == (1.0, 4)
    assert gateway.accuracy("whisper", "agreement") == (0.9, 10)
    assert gateway.accuracy("google", "agreement") == (0.8, 5)
    assert gateway.accuracy("google", "canary") == (None, 0)


async def test_what_is_no_longer_known_is_no_longer_shown(store: ExperimentStore) -> None:
    store.record([CALL, SHADOW, LABEL])
    gateway = Gateway(store)
    await gateway.comparing.measure()
    long_ago = NOW - timedelta(days=40)
    store.record([replace(CALL, started_at=long_ago, ended_at=long_ago)])
    await gateway.comparing.measure()
    assert gateway.accuracy("whisper", "human") == (None, 0)


async def test_a_store_that_is_away_is_logged_and_ends_nothing(
    store: ExperimentStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway(store)
    store.close()
    (tmp_path / "experiment.db").unlink()
    (tmp_path / "experiment.db").mkdir()
    await gateway.comparing.measure()
    assert "accuracy_not_measured" in caplog.text


def test_a_stored_clip_is_kept_with_who_heard_it_and_under_which_version(store: ExperimentStore) -> None:
    gateway = Gateway(store)
    gateway.hears("скажіть будь ласка скільки коштує шиномонтаж чотирьох коліс")
    assert gateway.accuracy("google", "canary") == (1.0, 9)  # шино монтаж: two words, as Whisper writes it
    gateway.hears("скажіть", is_kept=False)  # a probe
    accuracy, words = gateway.accuracy("google", "canary")
    assert accuracy == pytest.approx(1 / 9)
    assert words == 9
    (row,) = gateway.written()
    assert (row.provider, row.model, row.language_code) == (
        "google",
        gateway.providers["google"].model,
        "uk-UA",
    )
    assert (row.canonical_version, row.words, row.errors) == (VERSION, 9, 0)


def test_a_clip_heard_otherwise_than_on_other_days_is_logged_and_counted(
    store: ExperimentStore, caplog: pytest.LogCaptureFixture
) -> None:
    model = FakeProvider(heard_words, name="google").model
    before = CanaryRow(
        heard_at=datetime.now(UTC) - timedelta(days=3), provider="google", model=model, language_code="uk-UA",
        canonical_version=VERSION, text=CLIP.text, words=8, errors=0,
    )  # fmt: skip
    store.record([before])
    gateway = Gateway(store)
    labels = {"provider": "google", "language": "uk-UA"}
    gateway.hears(CLIP.text)
    assert gateway.shown("stt_canary_changes_total", **labels, reason="text") == 0
    gateway.hears("скажіть")
    gateway.hears("скажіть")
    assert gateway.shown("stt_canary_changes_total", **labels, reason="text") == 1
    assert gateway.shown("stt_canary_changes_total", **labels, reason="wer") == 1
    told = [record for record in caplog.records if record.message == "canary_changed"]
    assert [(record.__dict__["provider"], record.__dict__["reason"]) for record in told] == [
        ("google", "text"), ("google", "wer"),
    ]  # fmt: skip


def test_a_users_grammar_is_in_the_version_and_a_faulty_one_ends_the_start(
    store: ExperimentStore, tmp_path: Path
) -> None:
    own = tmp_path / "shop.yaml"
    own.write_text("names: {wheelhouse: вілхаус~}\n", encoding="utf-8")
    gateway = Gateway(store, own)
    gateway.hears(CLIP.text)
    assert gateway.written()[0].canonical_version == canonical_version(load_grammar("uk-UA", [own]))
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text("wrods: {}\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match="wrods"):
        Gateway(store, faulty)
