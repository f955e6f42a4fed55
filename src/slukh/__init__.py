"""Slukh: the hearing of a telephone voice agent."""

__version__ = "0.1.0"
__all__ = ["__version__"]
