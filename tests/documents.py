"""Rebuild the generated documents: `make docs`. The tests compare them with what the code says."""

from pathlib import Path

from slukh import config
from slukh.monitoring import metrics

DOCUMENTS = {"configuration.md": config.reference, "metrics.md": metrics.reference}

if __name__ == "__main__":
    for name, reference in DOCUMENTS.items():
        (Path(__file__).parents[1] / "doc" / name).write_text(reference(), encoding="utf-8")
