"""What recognisers made of a manifest: kept line by line, so that a run can go on, and put into tables."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from slukh.errors import ExperimentError
from slukh.experiment.canonical import canonical_text, canonical_version
from slukh.experiment.grammar import Grammar, load_grammar
from slukh.experiment.manifest import Manifest, Problem, Row
from slukh.experiment.scoring import GROUPINGS, Score, Scored, pooled, score
from slukh.experiment.statistics.estimates import FEWEST_CLUSTERS, Estimate, by_cluster, rate
from slukh.experiment.statistics.mapsswe import segment_test


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What left us for a recogniser in one request, and is paid for.

    Attributes:
        outcome: how it ended, as in `AttemptEnded`; some outcomes are not billed.
        sent_ms: milliseconds of audio.
        reported_ms: the provider's own figure, or None.
    """

    outcome: str
    sent_ms: int
    reported_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one recogniser made of one recording.

    Attributes:
        provider: registry name.
        model: as the provider names it.
        audio: digest of the samples.
        language_code: it was asked for.
        text: all its finals.
        audio_seconds: how long the recording is.
        took_seconds: how long hearing it took.
        final_seconds: from our endpoint to each final; what it means depends on `is_paced`.
        is_paced: at the pace of speech.
        requests: what was sent; None in files of versions that did not keep it.
    """

    provider: str
    model: str
    audio: str
    language_code: str
    text: str
    audio_seconds: float
    took_seconds: float
    final_seconds: tuple[float, ...]
    is_paced: bool
    requests: tuple[Request, ...] | None = None

    @property
    def key(self) -> tuple[str, str, str, str, bool]:
        """What need not be heard again."""
        return self.provider, self.model, self.audio, self.language_code, self.is_paced


def audio_digest(linear16: bytes) -> str:
    """A recording's name by its content."""
    return hashlib.sha256(linear16).hexdigest()[:16]


class Results:
    """A file of what was heard, one JSON object a line; a line that a crash cut off is heard again.

    Raises:
        ExperimentError: it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[tuple[str, str, str, str, bool], Heard] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_text(encoding="utf-8") if path.exists() else ""
            for line in content.splitlines():
                heard = _heard(line)
                if heard is not None:
                    self._found[heard.key] = heard
            with path.open("a", encoding="utf-8") as file:
                file.write("\n" if content and not content.endswith("\n") else "")
        except (OSError, UnicodeDecodeError) as error:
            raise ExperimentError(
                f"{path} cannot be used ({error})", remedy="name another file with --results"
            ) from error

    def get(self, key: tuple[str, str, str, str, bool]) -> Heard | None:
        """What was heard before."""
        return self._found.get(key)

    def add(self, heard: Heard) -> None:
        """Keep one more, at once."""
        self._found[heard.key] = heard
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(heard), ensure_ascii=False) + "\n")


def _heard(line: str) -> Heard | None:
    try:
        values = json.loads(line)
        sent = values.get("requests")
        requests = None if sent is None else tuple(Request(**each) for each in sent)
        return Heard(**values | {"final_seconds": tuple(values["final_seconds"]), "requests": requests})
    except (json.JSONDecodeError, TypeError, KeyError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A run, ready for its report.

    Attributes:
        manifest: what was to be heard.
        heard: provider -> line of the manifest -> what it heard.
        problems: rows that were not heard, by one provider or at all.
        stand_ins: providers that were not themselves, and what they were.
        grammars: a user's own.
        costs: provider -> what hearing the manifest costs, plain JSON values.
    """

    manifest: Manifest
    heard: Mapping[str, Mapping[int, Heard]]
    problems: Sequence[Problem]
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    grammars: Sequence[Path] = ()
    costs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def report(run: Evaluated) -> dict[str, object]:
    """The tables of a run as plain JSON values.

    Rates are pooled over rows; intervals (95 %) are clustered by `call_id`, and there is none of too few
    calls. The comparison takes only rows
    that both providers heard.
    """
    grammars = {row.language_code: load_grammar(row.language_code, run.grammars) for row in run.manifest.rows}
    rows = {row.line: row for row in run.manifest.rows}
    scored = {
        provider: {line: _scored(rows[line], each, grammars) for line, each in lines.items()}
        for provider, lines in run.heard.items()
    }
    providers = {
        provider: {
            "model": next((heard.model for heard in lines.values()), None),
            "stand_in": run.stand_ins.get(provider),
            "all": _table(list(scored[provider].values())),
            **{name: _groups(scored[provider].values(), name) for name in GROUPINGS},
            "latency": _latency(lines.values()),
            "cost": run.costs.get(provider),
        }
        for provider, lines in run.heard.items()
    }
    return {
        "rows": len(run.manifest.rows),
        "canonical_version": {code: canonical_version(grammar) for code, grammar in sorted(grammars.items())},
        "providers": providers,
        "comparisons": _comparisons(run, rows, scored, grammars),
        "problems": [asdict(problem) for problem in run.problems],
        "is_complete": not run.problems,
    }


def _scored(row: Row, heard: Heard, grammars: Mapping[str, Grammar]) -> Scored:
    found = score(
        row.text,
        heard.text,
        row.language_code,
        audio_seconds=heard.audio_seconds,
        grammar=grammars[row.language_code],
    )
    return Scored(
        call_id=row.call_id,
        language_code=row.language_code,
        turn_type=row.turn_type or "unnamed",
        score=found,
    )


def _groups(scored: Iterable[Scored], name: str) -> dict[str, object]:
    members = list(scored)
    key = GROUPINGS[name]
    return {group: _table([one for one in members if key(one) == group]) for group in pooled(members, key)}


def _table(scored: Sequence[Scored]) -> dict[str, object]:
    total = sum((one.score for one in scored), Score())
    words, entity_errors = total.words, total.entity_errors
    wer = _wer(scored)
    low, high = wer.interval() if words.reference_words else (math.nan, math.nan)
    return {
        "utterances": total.utterances,
        "words": words.reference_words,
        "wer": words.wer,
        "calls": wer.clusters,
        "wer_interval": _finite(max(0.0, low), high),
        "is_too_few_calls": wer.clusters < FEWEST_CLUSTERS,
        "written_wer": total.written.wer,
        "cer": total.characters.cer,
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "entities": entity_errors.hits + entity_errors.missed,
        "entity_error_rate": entity_errors.rate,
        "entity_error_rates": {kind: errors.rate for kind, errors in sorted(total.entities.items())},
        "silent_utterances": total.silent_utterances,
        "silent_seconds": total.silent_seconds,
        "silent_words": total.silent_words,
        "silent_words_per_minute": total.silent_words_per_minute,
    }


def _wer(scored: Sequence[Scored]) -> Estimate:
    """Of what has words: calls without any say nothing of how far calls differ."""
    spoken = [one for one in scored if one.score.utterances]
    errors, words = by_cluster(
        [one.call_id for one in spoken],
        [one.score.words.errors for one in spoken],
        [one.score.words.reference_words for one in spoken],
    )
    return rate(errors, words)


def _latency(heard: Iterable[Heard]) -> dict[str, object]:
    """Seconds to a final where the pace was that of speech; else only how much faster than it hearing was."""
    members = list(heard)
    finals = [seconds for one in members if one.is_paced for seconds in one.final_seconds]
    audio, took = sum(one.audio_seconds for one in members), sum(one.took_seconds for one in members)
    p50, p95 = np.quantile(finals, [0.5, 0.95]).tolist() if finals else (None, None)
    return {
        "finals": len(finals),
        "final_seconds_p50": p50,
        "final_seconds_p95": p95,
        "seconds_per_audio_second": took / audio if audio else None,
    }


def _comparisons(
    run: Evaluated,
    rows: Mapping[int, Row],
    scored: Mapping[str, Mapping[int, Scored]],
    grammars: Mapping[str, Grammar],
) -> list[dict[str, object]]:
    """Each later provider against the first, on the rows that both heard."""
    if len(run.heard) < 2:  # noqa: PLR2004  # two make a comparison
        return []
    first, *others = run.heard
    found: list[dict[str, object]] = []
    for other in others:
        lines = [line for line in run.heard[first] if line in run.heard[other]]
        pairs = [(scored[first][line], scored[other][line]) for line in lines]
        spoken = [(one, two) for one, two in pairs if one.score.utterances]
        difference, words = by_cluster(
            [one.call_id for one, _ in spoken],
            [two.score.words.errors - one.score.words.errors for one, two in spoken],
            [one.score.words.reference_words for one, _ in spoken],
        )
        paired = rate(difference, words)
        said = (
            tuple(
                canonical_text(
                    text, rows[line].language_code, grammar=grammars[rows[line].language_code]
                ).split()
                for text in (rows[line].text, run.heard[first][line].text, run.heard[other][line].text)
            )
            for line in lines
        )
        test = segment_test((reference, one, two) for reference, one, two in said if reference)
        found.append(
            {
                "providers": [first, other],
                "utterances": len(lines),
                "wer_difference": paired.value if paired.clusters and words.sum() else None,
                "calls": paired.clusters,
                "wer_difference_interval": _finite(*paired.interval()),
                "is_too_few_calls": paired.clusters < FEWEST_CLUSTERS,
                "mapsswe": {"segments": test.segments, "z": test.z, "p": test.p, "is_enough": test.is_enough},
                "silent_calls": _silent_calls(pairs),
            }
        )
    return found


def _silent_calls(pairs: Sequence[tuple[Scored, Scored]]) -> list[dict[str, object]]:
    """Of every call with silence in it: how much, and the words that either heard there."""
    silent = [(one, two) for one, two in pairs if one.score.silent_seconds]
    seconds, *words = by_cluster(
        [one.call_id for one, _ in silent],
        [one.score.silent_seconds for one, _ in silent],
        [one.score.silent_words for one, _ in silent],
        [two.score.silent_words for _, two in silent],
    )
    return [
        {"seconds": each, "words": [int(one), int(two)]}
        for each, one, two in zip(seconds, *words, strict=True)
    ]


def _finite(low: float, high: float) -> list[float] | None:
    return [low, high] if math.isfinite(low) and math.isfinite(high) else None
