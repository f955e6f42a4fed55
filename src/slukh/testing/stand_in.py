"""Stands for a package in the environment of a server that imports it and does without, PyTorch most of all.

PyPI's PyTorch for Linux brings CUDA, 5 GB. A server that decodes with CTranslate2 only asks it whether there
is a GPU, and defines models with it that are never made. This file is copied as `torch/__init__.py`.
"""

import sys
from typing import Any, Self


class _Absent:
    """May be named, called, inherited from and annotated with; there is nothing in it, and it is false."""

    def __getattr__(self, name: str) -> Self:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *given: object, **_: object) -> Any:  # noqa: ANN401  # as a decorator, what it is put on
        return given[0] if len(given) == 1 and callable(given[0]) else self

    def __mro_entries__(self, _: tuple[object, ...]) -> tuple[type, ...]:
        return ()

    def __or__(self, _: object) -> Self:
        return self

    __getitem__ = __ror__ = __or__

    def __bool__(self) -> bool:
        return False


_ABSENT = _Absent()
for _module in ("nn", "nn.functional", "distributions"):
    sys.modules[f"{__name__}.{_module}"] = _ABSENT  # type: ignore[assignment]
__getattr__ = _ABSENT.__getattr__
