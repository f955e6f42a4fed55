"""How well each provider hears live calls, against a stated reference: 1 - canonical word error rate.

    human       what people say was said, in utterances drawn for labelling; each stands for those that were
                not drawn. They are drawn where the two providers differ, so all of speech is heard better
                than this: it compares providers, it is no level.
    agreement   what the other provider wrote of the same utterance, right or wrong.

Stored clips, the third reference, are measured as they are played.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from slukh.experiment.evidence import ARMS, LabelRow, ShadowSum
from slukh.experiment.gates import settled_labels

OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """One provider against one reference.

    Attributes:
        provider: who.
        language_code: BCP-47 of the calls; `other` for those that have no name of their own.
        value: 1 - word error rate; below 0 when more was invented than said.
        words: of the reference, as many as were counted.
    """

    provider: str
    language_code: str
    value: float
    words: int


def by_agreement(
    sums: Iterable[ShadowSum], *, languages: Iterable[str], version_of: Callable[[str], str]
) -> list[Accuracy]:
    """Each provider against the other one's text.

    Args:
        sums: of a window.
        languages: that have a name of their own.
        version_of: canonical version of a language; texts of another version are left out.
    """
    named, counts = frozenset(languages), _Counts()
    for each in sums:
        if each.canonical_version == version_of(each.language_code):
            language = each.language_code if each.language_code in named else OTHER
            counts.add(each.live, language, each.differing_words, each.shadow_words, each.shadow_words)
            counts.add(each.shadow, language, each.differing_words, each.live_words, each.live_words)
    return counts.accuracies()


def by_labels(
    labels: Iterable[tuple[str, LabelRow]], *, languages: Iterable[str], version_of: Callable[[str], str]
) -> list[Accuracy]:
    """Each provider against people.

    Args:
        labels: with the languages of their calls.
        languages: that have a name of their own.
        version_of: canonical version of a language; labels of another version are left out.
    """
    named, counts = frozenset(languages), _Counts()
    known = [(code, label) for code, label in labels if label.canonical_version == version_of(code)]
    language_of = {label.call_id: code if code in named else OTHER for code, label in known}
    for label in settled_labels(label for _, label in known):
        for arm, errors in zip(ARMS, (label.google_errors, label.whisper_errors), strict=True):
            weight = 1 / label.probability
            counts.add(arm, language_of[label.call_id], errors * weight, label.words * weight, label.words)
    return counts.accuracies()


class _Counts:
    """Errors and words by provider and language: pooled, never the mean of utterances."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])

    def add(self, provider: str, language: str, errors: float, weighed: float, words: int) -> None:
        sums = self._sums[provider, language]
        for index, number in enumerate((errors, weighed, words)):
            sums[index] += number

    def accuracies(self) -> list[Accuracy]:
        return [
            Accuracy(provider=provider, language_code=language, value=1 - errors / weighed, words=int(words))
            for (provider, language), (errors, weighed, words) in sorted(self._sums.items())
            if words
        ]
