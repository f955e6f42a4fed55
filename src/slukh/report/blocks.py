"""What a report is made of, whatever it is written in. Texts may have `code` and **bold**, nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the report's own, 2 a section's."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """Points of a list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a head.

    Attributes:
        head: names of the columns.
        rows: as many cells each.
        texts: how many columns from the left are words; the others are numbers and stand to the right.
        notes: how many columns from the right are words as well.
        totals: indices of rows that sum up.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    notes: int = 0
    totals: frozenset[int] = frozenset()

    def is_number(self, column: int) -> bool:
        """Whether a column has numbers."""
        return self.texts <= column < len(self.head) - self.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A plot.

    Attributes:
        name: which; file names end in it.
        caption: what to see in it.
    """

    name: str
    caption: str


Block = Heading | Paragraph | Bullets | Table | Figure
