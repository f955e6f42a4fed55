"""What normalising itself gets wrong, and what it takes: `python bench/canonical.py`.

Two lists of pairs, one that the canonicaliser was made with and one that it was not. Spurious WER: word edits
between two ways to write the same thing, per word of both ways on average, pooled. Then the CPU time of one
utterance, and of the word errors of 10,000 pairs beside rapidfuzz's own. Whisper's normaliser is rebuilt from
its description: NFKC, lower case, bracketed remarks out, marks, symbols and punctuation to spaces.
"""

import gc
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from time import process_time

import jiwer
import numpy as np
from rapidfuzz.distance import Levenshtein

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
    time_canonical_text()
    time_word_errors()


def time_canonical_text() -> None:
    texts = [(text, row[1]) for name in ("golden", "held_out") for row in pairs(name) for text in row[2:]]
    times = []
    for _ in range(20):
        start = process_time()
        for text, language in texts:
            canonical_text(text, language)
        times.append((process_time() - start) / len(texts) * 1e6)
    length = np.mean([len(text.split()) for text, _ in texts])
    cpu = f"{np.median(times):.0f} microseconds of CPU (best {min(times):.0f})"
    print(f"an utterance of {length:.1f} words: {cpu}")


def time_word_errors() -> None:
    """Ours against rapidfuzz's own: splitting the texts and asking it for the edits."""
    generator = np.random.default_rng(1)
    words = [f"слово{number}" for number in range(2000)]
    spoken = []
    for _ in range(10_000):
        reference = [words[n] for n in generator.integers(0, 2000, 1 + generator.poisson(7))]
        wrong = generator.random(len(reference)) < 0.2
        heard = [words[0] if miss else word for word, miss in zip(reference, wrong, strict=True)]
        spoken.append((" ".join(reference), " ".join(heard)))
    theirs = best(lambda: [Levenshtein.editops(one.split(), other.split()) for one, other in spoken])
    ours = best(lambda: [word_errors(one, other) for one, other in spoken])
    print(f"10,000 pairs: {ours:.0f} ms of CPU, rapidfuzz alone {theirs:.0f} ms, ratio {ours / theirs:.2f}")


def best(work: Callable[[], object]) -> float:
    times = []
    gc.disable()
    for _ in range(9):
        start = process_time()
        work()
        times.append((process_time() - start) * 1000)
    gc.enable()
    return min(times)


if __name__ == "__main__":
    main()
