"""Prometheus metrics on the loopback address, without identifiers as labels.

A label says what kind of thing was counted, never which one: no number, name, address, device or
call can be asked for here.
"""

from collections.abc import Sequence
from threading import Thread
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

LABELS: Final = frozenset({"kind", "outcome", "process", "listener", "method", "cause", "suite"})
"""Label names whose values come from closed sets of ours."""

LOOPBACK: Final = "127.0.0.1"

REGISTRY: Final = CollectorRegistry(auto_describe=True)


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, meaning, _checked(labels), namespace="pbx", registry=REGISTRY)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    return Gauge(name, meaning, _checked(labels), namespace="pbx", registry=REGISTRY)


def _checked(labels: Sequence[str]) -> Sequence[str]:
    if strangers := set(labels) - LABELS:
        raise ValueError(f"no metric has the label {sorted(strangers)[0]}: see LABELS")
    return labels


class MetricsServer:
    """Serves the registry to a Prometheus on the same machine, from a thread of its own."""

    def __init__(self, port: int, registry: CollectorRegistry = REGISTRY) -> None:
        self._wanted, self._registry = port, registry
        self._server: WSGIServer | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        self._server, self._thread = start_http_server(
            self._wanted, addr=LOOPBACK, registry=self._registry
        )

    @property
    def address(self) -> str:
        port = self._server.server_port if self._server else self._wanted
        return f"http://{LOOPBACK}:{port}/metrics"

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
