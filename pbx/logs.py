"""Logs that can hold no secret: constant sentences, and values only under keys from one list.

A value under any other key is withheld, and so is whatever a library says in its own words:
its name and the line that spoke are enough to find it. Exceptions are logged as their type and
the lines they passed, never with their text (promise 7).
"""

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, Literal, TextIO

import structlog

ALLOWED: Final = frozenset(
    # What structlog itself adds, and the exchange's own shape of an exception.
    {"event", "level", "timestamp", "error", "trace", "library", "at", "process"}
    # The house: processes and their lives.
    | {"pid", "index", "signal", "exit_code", "delay", "restarts", "ready", "mode", "version"}
    | {"elapsed", "count", "limit", "reason", "port", "state", "part", "kind", "rule", "key"}
    # Identifiers of ours that name nobody, and names of technical things.
    | {"call", "leg", "flow", "device", "writer", "sequence", "operation", "action", "outcome"}
    | {"listener", "tls_version", "cipher", "suite", "status", "method", "days", "serial"}
)
"""Keys whose values are identifiers, counts, times or words of ours. Never a number or a name."""

WITHHELD: Final = "withheld"
_PLAIN: Final = (str, int, float, bool, type(None))
_MAX_TEXT: Final = 200

Event = MutableMapping[str, Any]
Format = Literal["json", "console"]


def allow_list(_logger: object, _method: str, event: Event) -> Event:
    """Withholds every value whose key is not on the list, or that is more than a plain value."""
    for key, value in event.items():
        if key == "trace":
            continue
        if key not in ALLOWED or not isinstance(value, _PLAIN):
            event[key] = WITHHELD
        elif isinstance(value, str):
            event[key] = value[:_MAX_TEXT]
    return event


def without_text(_logger: object, _method: str, event: Event) -> Event:
    """Turns an exception into its type and the lines it passed; its text may quote anything."""
    found = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if found is True:
        found = sys.exc_info()[1]
    if isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        event["error"] = type(found).__qualname__
        event["trace"] = lines_of(found.__traceback__)
    return event


def lines_of(trace: TracebackType | None) -> list[str]:
    return [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(trace)][-20:]


class _Libraries(logging.Handler):
    """Passes on that a library spoke, and where; not what it said."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(
            record.levelno,
            "a library reported something",
            library=record.name,
            at=f"{record.module}:{record.lineno}",
            exc_info=record.exc_info,
        )


def configure(
    *,
    process: str,
    shape: Format | None = None,
    stream: TextIO | None = None,
    debug: bool = False,
) -> None:
    """Sets up what our own lines look like: readable on a terminal, else JSON."""
    colours = (stream or sys.stderr).isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _stamp(process),
            without_text,
            allow_list,
            *_rendering(shape or ("console" if colours else "json"), colours=colours),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if debug else logging.INFO
        ),
        logger_factory=lambda *_: structlog.PrintLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def take_over() -> None:
    """Makes everything else that could write of this process pass through the same list."""
    root = logging.getLogger()
    root.handlers[:] = [_Libraries()]
    root.setLevel(logging.WARNING)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _stamp(process: str) -> structlog.typing.Processor:
    def stamp(_logger: object, _method: str, event: Event) -> Event:
        event["process"] = process
        return event

    return stamp


def _rendering(shape: Format, *, colours: bool) -> list[structlog.typing.Processor]:
    if shape == "json":
        return [structlog.processors.JSONRenderer()]
    return [_trace_last, structlog.dev.ConsoleRenderer(colors=colours)]


def _trace_last(_logger: object, _method: str, event: Event) -> Event:
    if trace := event.pop("trace", None):
        event["at"] = trace[-1]
    return event


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger().critical(
        "the process ends on an error nobody expected", exc_info=(kind, error, trace)
    )


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    structlog.get_logger().error(
        "a thread ended on an error nobody expected",
        exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
    )


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    structlog.get_logger().error(
        "an error had nowhere to go", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
