"""What a gateway learns of how well its recognisers hear, put together.

Stored clips tell as they are played; shadows and labels are looked at every five minutes, in a thread.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from slukh.errors import ExperimentError
from slukh.experiment.accuracy import Accuracy, by_agreement, by_labels
from slukh.experiment.canaries import CanaryWatch
from slukh.experiment.canonical import canonical_text, canonical_version
from slukh.experiment.evidence import WINDOW, CanaryRow
from slukh.experiment.gates import Margins
from slukh.experiment.grammar import load_grammar
from slukh.experiment.sink import ExperimentSink
from slukh.experiment.store import ExperimentAwayError, ExperimentStore
from slukh.experiment.wer import word_errors
from slukh.monitoring.declarations import CANARY_LANGUAGES
from slukh.monitoring.metrics import Metrics
from slukh.routing.health import Heard
from slukh.stt.base import SttProvider

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 300.0


class AccuracyWatch:
    """The accuracy of a gateway's recognisers, against every reference there is.

    Args:
        store: of live calls, and of the clips that were heard before.
        sink: what writes into it.
        metrics: of the gateway.
        providers: recognisers by registry name.
        grammars: a user's own.

    Raises:
        ExperimentError: the store cannot be read, or a grammar is none.
    """

    def __init__(
        self,
        store: ExperimentStore,
        sink: ExperimentSink,
        metrics: Metrics,
        *,
        providers: Mapping[str, SttProvider],
        grammars: Sequence[Path] = (),
    ) -> None:
        self._store = store
        self._sink = sink
        self._metrics = metrics
        self._providers = providers
        self._grammars = grammars
        for language_code in CANARY_LANGUAGES:  # here, not in a call's way; a grammar that is none ends it
            load_grammar(language_code, grammars)
        now = datetime.now(UTC)
        before: tuple[CanaryRow, ...] = ()
        try:
            before = store.canaries(now - WINDOW, now)
        except ExperimentAwayError as error:  # what changes is told from now on
            logger.warning("canaries_not_read", extra={"error": str(error)})
        self._watch = CanaryWatch(before, wer_bound=Margins().canary_wer)

    def heard_clip(self, provider: str, heard: Heard, *, is_kept: bool = True) -> None:
        """A provider heard a stored clip. Never blocks.

        Args:
            provider: who.
            heard: what it made of it.
            is_kept: whether it was played by the clock; what tries a provider that failed is not kept.
        """
        clip = heard.clip
        grammar = load_grammar(clip.language_code, self._grammars)
        said, text = (
            canonical_text(each, clip.language_code, grammar=grammar) for each in (clip.text, heard.text)
        )
        found = word_errors(said, text)
        words, errors = found.reference_words, found.errors
        self._metrics.accuracy(provider, clip.language_code, "canary", words=words, errors=errors)
        if not is_kept:
            return
        row = CanaryRow(
            heard_at=datetime.now(UTC),
            provider=provider,
            model=self._providers[provider].model,
            language_code=clip.language_code,
            canonical_version=canonical_version(grammar),
            text=heard.text,
            words=words,
            errors=errors,
        )
        self._sink.put(row)
        for change in self._watch.add(row):
            self._metrics.canary_changed(provider, clip.language_code, change.reason)
            logger.warning(
                "canary_changed",
                extra={"provider": provider, "model": row.model, "language_code": clip.language_code,
                       "reason": change.reason, "text": heard.text, "errors": errors, "words": words},
            )  # fmt: skip

    async def follow(self) -> None:
        """Measure what live calls tell, now and again, until cancelled."""
        while True:
            await self.measure()
            await asyncio.sleep(REFRESH_SECONDS)

    async def measure(self) -> None:
        """Measure what live calls tell, once."""
        try:
            measured = await asyncio.to_thread(self._measured)
        except ExperimentError as error:
            logger.warning("accuracy_not_measured", extra={"error": str(error)})
            return
        for reference, accuracies in measured.items():
            self._metrics.accuracies(
                reference,
                {
                    (each.provider, each.language_code): (each.value, each.words)
                    for each in accuracies
                    if each.provider in self._providers  # the store remembers those that are gone
                },
            )

    def _measured(self) -> dict[str, Collection[Accuracy]]:
        since = datetime.now(UTC) - WINDOW
        return {
            "agreement": by_agreement(
                self._store.shadow_sums(since), languages=CANARY_LANGUAGES, version_of=self._version_of
            ),
            "human": by_labels(
                self._store.labelled(since), languages=CANARY_LANGUAGES, version_of=self._version_of
            ),
        }

    def _version_of(self, language_code: str) -> str:
        return canonical_version(load_grammar(language_code, self._grammars))
