"""What normalising itself gets wrong, and what it takes: `python bench/canonical.py`.

Two lists of pairs, one that the canonicaliser was made with and one that it was not. Spurious WER: word edits
between two ways to write the same thing, per word of both ways on average, pooled. Then the microseconds of
one utterance, on one core. Whisper's normaliser is rebuilt from its description: NFKC, lower case, bracketed
remarks out, marks, symbols and punctuation to spaces.
"""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import jiwer
import numpy as np

from slukh.experiment.canonical import canonical_text
from slukh.experiment.wer import plain_text, word_errors

PAIRS = Path(__file__).parents[1] / "tests" / "unit" / "experiment"
Normaliser = Callable[[str, str], str]


def whisper_basic(text: str, _language_code: str) -> str:
    said = re.sub(r"\(([^)]+?)\)|[<\[][^>\]]*[>\]]", "", text.lower())
    spaced = (" " if unicodedata.category(c)[0] in "MSP" else c for c in unicodedata.normalize("NFKC", said))
    return " ".join("".join(spaced).split())


def jiwer_default(text: str, _language_code: str) -> str:
    return str(jiwer.Compose([jiwer.RemoveMultipleSpaces(), jiwer.Strip()])(text))


NORMALISERS: dict[str, Normaliser] = {
    "none": lambda text, _: text,
    "jiwer's default": jiwer_default,
    "Whisper basic": whisper_basic,
    "lower, no punctuation": lambda text, _: plain_text(text),
    "canonical_text": canonical_text,
}


def pairs(name: str) -> list[list[str]]:
    lines = (PAIRS / f"canonical_{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def main() -> None:
    for name in ("golden", "held_out"):
        rows = pairs(name)
        same = [row for row in rows if row[0] == "same"]
        different = [row for row in rows if row[0] == "different"]
        print(f"{name}: {len(same)} pairs of one meaning, {len(different)} that differ")
        print(f"  {'normaliser':24} {'spurious WER':>12} {'equal':>8} {'differences kept':>18}")
        for title, normalise in NORMALISERS.items():
            errors = words = equal = 0
            for _, language, first, second in same:
                one, other = normalise(first, language), normalise(second, language)
                errors += word_errors(one, other).errors
                words += len(one.split()) + len(other.split())
                equal += one == other
            kept = sum(normalise(a, language) != normalise(b, language) for _, language, a, b in different)
            print(f"  {title:24} {2 * errors / words:12.3f} {equal:4}/{len(same)} {kept:15}/{len(different)}")
    texts = [(text, row[1]) for name in ("golden", "held_out") for row in pairs(name) for text in row[2:]]
    times = []
    for _ in range(20):
        for text, language in texts:
            start = perf_counter_ns()
            canonical_text(text, language)
            times.append(perf_counter_ns() - start)
    mean, p50, p95 = np.mean(times) / 1000, *(np.percentile(times, [50, 95]) / 1000)
    length = np.mean([len(text.split()) for text, _ in texts])
    print(f"microseconds an utterance of {length:.1f} words: mean {mean:.0f}, p50 {p50:.0f}, p95 {p95:.0f}")


if __name__ == "__main__":
    main()
