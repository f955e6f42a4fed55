"""Rebuild the generated documents: `make docs`. The tests compare them with what the code says."""

from pathlib import Path

from slukh.commands import cost
from slukh.monitoring import declarations
from slukh.settings import document

DOC = Path(__file__).parents[1] / "doc"
DOCUMENTS = {"configuration.md": document.reference, "metrics.md": declarations.reference}

# The day whose prices are in the checked-in cost analysis; move it when the book gets new ones.
COST_ANALYSIS = ("report", "--as-of", "2026-11-26", "--scenario", "tyre-shop")
COST_ANALYSIS_FILES = {"en": "cost-analysis.md", "ru": "cost-analysis.ru.md"}


def write_cost_analysis(folder: Path) -> None:
    """The cost analysis in every language, its plots beside it."""
    for language, name in COST_ANALYSIS_FILES.items():
        arguments = [*COST_ANALYSIS, "--language", language, "--output", str(folder / name)]
        cost.app(arguments, standalone_mode=False)


if __name__ == "__main__":
    for name, reference in DOCUMENTS.items():
        (DOC / name).write_text(reference(), encoding="utf-8")
    write_cost_analysis(DOC / "business")
