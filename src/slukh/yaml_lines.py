"""YAML whose values know their lines, and that refuses what YAML does in silence.

PyYAML takes the last of two equal keys and reads 0.1 as a binary float; here the first is an error with a
line, and so is the second where it stands for money. Elsewhere a decimal is kept as its text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from slukh.errors import UserError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain values and where they stand.

    Attributes:
        file: how errors call it.
        value: dicts, lists and scalars.
        lines: by path (`("prices", 3, "amount")`), from 1.
        refusal: what is raised for it.
    """

    file: str
    value: Any
    lines: Mapping[Path, int]
    refusal: type[UserError]

    def error(self, path: Path, problem: str, *, remedy: str) -> UserError:
        """An error at the line of `path`, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.refusal(f"{self.file}:{self.lines.get(path, 1)}: {problem}", remedy=remedy)


def read_yaml(
    text: str,
    *,
    file: str,
    refusal: type[UserError],
    floats: Literal["refuse", "text"] = "refuse",
) -> Document:
    """The document in `text`.

    Args:
        text: what stands in the file.
        file: how errors call it.
        refusal: what is raised.
        floats: whether a decimal without quotes is an error, or its own text.

    Raises:
        UserError: as the `refusal`: it is no YAML, or has one key twice, or a float.
    """
    reader = _Reader(file, refusal, keeps_floats=floats == "text")
    try:
        value = reader.document(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise refusal(
            f"{file}:{line}: no YAML: {error.problem}",
            remedy='mend that line, or the one before it; a lone * is written "*"',
        ) from error
    except RecursionError as error:
        raise refusal(f"{file}: brackets within brackets without end", remedy="close them") from error
    except yaml.YAMLError as error:
        raise refusal(
            f"{file}: no YAML: a character that no text has", remedy="write it as UTF-8 text"
        ) from error
    return Document(file=file, value=value, lines=reader.lines, refusal=refusal)


class _Reader:
    """Nodes into values, lines noted on the way."""

    def __init__(self, file: str, refusal: type[UserError], *, keeps_floats: bool) -> None:
        self._file = file
        self._refusal = refusal
        self._keeps_floats = keeps_floats
        self._seen: set[int] = set()
        self.lines: dict[Path, int] = {}

    def document(self, text: str) -> Any:  # noqa: ANN401  # whatever YAML holds
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            return None if node is None else self._value(loader, node, ())
        finally:
            loader.dispose()

    def _value(self, loader: yaml.SafeLoader, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401  # whatever YAML holds
        self.lines.setdefault(path, node.start_mark.line + 1)
        match node:
            case yaml.MappingNode():
                self._refuse_alias(node)
                return self._mapping(loader, node, path)
            case yaml.SequenceNode():
                self._refuse_alias(node)
                return [self._value(loader, item, (*path, index)) for index, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:float":
            if self._keeps_floats:
                return node.value
            raise self._error(
                node,
                f"{node.value} is a float, which YAML may round",
                remedy=f'write it in quotes: "{node.value}"',
            )
        try:
            return loader.construct_object(node)
        except ValueError as error:  # such as a day in the month 13
            raise self._error(
                node, f"`{node.value}` cannot be ({error})", remedy="correct it, or write it in quotes"
            ) from error

    def _mapping(self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(
                    key_node, "a list or a mapping stands where a name does", remedy="write a name"
                )
            key = str(key_node.value)
            if key in made:
                raise self._error(key_node, f"`{key}` stands there twice", remedy="keep one of them")
            self.lines[*path, key] = key_node.start_mark.line + 1
            made[key] = self._value(loader, value_node, (*path, key))
        return made

    def _refuse_alias(self, node: yaml.Node) -> None:
        """A short file of aliases can unfold for ever; aliases of words and numbers cannot."""
        if id(node) in self._seen:
            raise self._error(
                node, "an alias stands for a list or a mapping", remedy="write it out where it is used"
            )
        self._seen.add(id(node))

    def _error(self, node: yaml.Node, problem: str, *, remedy: str) -> UserError:
        return self._refusal(f"{self._file}:{node.start_mark.line + 1}: {problem}", remedy=remedy)
