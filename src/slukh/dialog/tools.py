"""Tools of a language model: plain Python functions, with a time-out.

    def order_status(number: str) -> str:
        '''The state of an order, by its number of four digits.'''

    TOOLS = [order_status]          # in a file that SLUKH_CLAUDE_TOOLS names

The name, the docstring and the annotated parameters (str, int, float, bool) are what the model is told. A
tool that raises or hangs is told to the model as such, and the call goes on. One that hangs may do later what
it was asked for: the model is told not to ask again. Each call has a thread of its
own, because Python cannot end one that hangs: it must take none from the loop's own, which read the phrase
cache, and must not keep the process from ending. There are `MOST_THREADS` at a time: with a shop's server
that hangs for an hour there would be thousands, and none left for anybody.
"""

import asyncio
import importlib.util
import inspect
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from slukh.errors import SettingsError

logger = logging.getLogger(__name__)

_TYPES: Final = {str: "string", int: "integer", float: "number", bool: "boolean"}
LONGEST_RESULT: Final = 4000
MOST_THREADS: Final = 256
_room: Final = threading.BoundedSemaphore(MOST_THREADS)


class _RaisedInThreadError(Exception):
    """What a tool raised, as its cause.

    A future takes no StopIteration, and what is no Exception would be a cancellation or an exit of ours.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What the model is told.

    Attributes:
        text: at most `LONGEST_RESULT` characters.
        is_error: it failed.
    """

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function as the model sees it.

    Attributes:
        name: of the function.
        description: its docstring.
        schema: JSON Schema of its parameters.
        function: sync (run in a thread) or async.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    function: Callable[..., Any] = field(repr=False)

    async def run(self, arguments: Mapping[str, Any], *, timeout_seconds: float) -> ToolResult:
        """Call it. Never raises but for cancellation."""
        try:
            async with asyncio.timeout(timeout_seconds) as limit:
                if inspect.iscoroutinefunction(self.function):
                    result = await self.function(**arguments)
                else:
                    result = await self._in_thread(arguments)
                text = str(result)[:LONGEST_RESULT]
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._failed(error)  # nobody cancelled us: something of the tool's own was
        except _RaisedInThreadError as raised:
            return self._failed(raised.__cause__ or raised)
        except Exception as error:  # noqa: BLE001  # whatever a shop's code raises, a TimeoutError among it
            if limit.expired():
                late = f"{self.name} did not answer in {timeout_seconds:g} s, and may do it all the same"
                return ToolResult(text=f"{late}: do not ask for it again", is_error=True)
            return self._failed(error)
        return ToolResult(text=text)

    def _failed(self, error: BaseException) -> ToolResult:
        # Not above DEBUG: what it says may be a caller's.
        logger.debug("tool_raised", extra={"tool": self.name}, exc_info=error)
        return ToolResult(text=f"{self.name} failed: {type(error).__name__}", is_error=True)

    async def _in_thread(self, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401  # whatever it returns
        if not _room.acquire(blocking=False):
            logger.warning("tools_hang", extra={"tool": self.name, "threads": MOST_THREADS})
            raise RuntimeError(f"{MOST_THREADS} calls of tools have not ended yet")
        outcome: Future[Any] = Future()
        outcome.set_running_or_notify_cancel()  # from now on nobody cancels it: the thread cannot be

        def work() -> None:
            try:
                outcome.set_result(self.function(**arguments))
            except BaseException as error:  # noqa: BLE001  # raised where it is awaited
                raised = _RaisedInThreadError()
                raised.__cause__ = error
                outcome.set_exception(raised)
            finally:
                _room.release()

        thread = threading.Thread(
            target=copy_context().run, args=(work,), name=f"slukh-tool-{self.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the machine has no more
            _room.release()
            raise
        return await asyncio.wrap_future(outcome)


def tool_from(function: Callable[..., Any]) -> Tool:
    """A function as a tool.

    Raises:
        SettingsError: it has no docstring, or a parameter without a type that JSON has.
    """
    name = getattr(function, "__name__", repr(function))
    description = inspect.getdoc(function)
    if not description:
        raise SettingsError(
            f"tool {name} has no docstring", remedy="say in one what it does and when to use it"
        )
    properties: dict[str, dict[str, str]] = {}
    required: list[str] = []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        kind = _TYPES.get(parameter.annotation)
        if kind is None:
            raise SettingsError(
                f"tool {name}: parameter {parameter.name} has no type", remedy="use str, int, float or bool"
            )
        properties[parameter.name] = {"type": kind}
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    schema = {"type": "object", "properties": properties, "required": required}
    return Tool(name=name, description=description, schema=schema, function=function)


def tools_in(path: Path) -> list[Tool]:
    """The tools of a Python file: its list `TOOLS`. Raises SettingsError."""
    spec = importlib.util.spec_from_file_location("slukh_tools", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SettingsError(f"{path} is no Python file", remedy="name one in SLUKH_CLAUDE_TOOLS")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a shop's own code raises
        raise SettingsError(
            f"{path} cannot be loaded ({type(error).__name__}: {error})", remedy="run it with python first"
        ) from error
    functions = getattr(module, "TOOLS", None)
    if not isinstance(functions, Sequence) or not all(callable(one) for one in functions):
        raise SettingsError(f"{path} has no list TOOLS", remedy="end it with TOOLS = [function, ...]")
    return [tool_from(function) for function in functions]
