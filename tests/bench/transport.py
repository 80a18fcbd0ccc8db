"""TLS flows: CPU for each handshake and message, memory for each flow, with a real stack behind.

The server is a process of its own; its CPU time (user + system) and resident memory are read
before and after. The client's share is not counted.
"""

import asyncio
import gc
import os
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from certs.contexts import client_context
from pbx.sip.flows import FlowFacts, FlowId
from pbx.transport.config import SipConfig
from pbx.transport.driver import Driver
from pbx.transport.framing import Framer, Limits
from tests.support.sip_server import DOMAIN, SipServer, new_authority, options

FLOWS = int(os.environ.get("BENCH_FLOWS", "1000"))
MESSAGES = 20_000
PAD = "X-Pad: " + "y" * 380 + "\r\n"


class Echo:
    """A stack that costs nothing: what remains is the transport's own."""

    def __init__(self) -> None:
        self._outgoing: list[tuple[FlowId, bytes]] = []

    def flow_opened(self, flow_id: FlowId, facts: FlowFacts) -> None:
        pass

    def flow_authenticated(self, flow_id: FlowId) -> None:
        pass

    def flow_closed(self, flow_id: FlowId, now: float) -> None:
        pass

    def receive(self, flow_id: FlowId, data: bytes, now: float) -> None:
        self._outgoing.append((flow_id, data))

    def outgoing(self) -> list[tuple[FlowId, bytes]]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def events(self) -> list[object]:
        return []

    def next_deadline(self) -> float | None:
        return None

    def expire(self, now: float) -> None:
        pass


def run() -> None:
    _framing()
    for kind in ("echo", "stack"):
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            _measure(kind, version)


def _framing() -> None:
    message, framer = options(extra=PAD), Framer(Limits())
    start = time.process_time()
    for _ in range(100_000):
        framer.feed(message)
    each = (time.process_time() - start) / 100_000
    print(f"framing a message of {len(message)} bytes: {each * 1e6:.2f} µs")


def _measure(kind: str, version: ssl.TLSVersion) -> None:
    with tempfile.TemporaryDirectory() as directory:
        authority = new_authority(Path(directory) / "certs")
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.transport", kind, str(authority.stock.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        context = client_context(authority.stock.root)
        context.maximum_version = version
        try:
            _drive(server, context, f"{kind}, {version.name}")
        finally:
            server.communicate("")


def _drive(server: "subprocess.Popen[str]", context: ssl.SSLContext, title: str) -> None:
    _raise_limit()
    port = int(_line(server))
    warm = _connect(context, port)
    _ask([warm], 50)
    before = _figures(server)
    flows = [_connect(context, port) for _ in range(FLOWS)]
    _ask(flows, FLOWS)
    opened = _figures(server)
    _ask(flows, MESSAGES)
    after = _figures(server)
    handshake = (opened[0] - before[0]) / FLOWS
    message = (after[0] - opened[0]) / MESSAGES
    memory = (after[1] - before[1]) / FLOWS
    print(
        f"{title}: handshake and a message {handshake * 1e3:.3f} ms, a message and its answer "
        f"{message * 1e6:.1f} µs of CPU; {memory / 1024:.1f} KB for each of {FLOWS} flows",
        flush=True,
    )
    for flow in [warm, *flows]:
        flow.close()


def _connect(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port))
    return context.wrap_socket(plain, server_hostname=DOMAIN)


def _ask(flows: list[ssl.SSLSocket], count: int) -> None:
    for n in range(count):
        flow = flows[n % len(flows)]
        flow.sendall(options(f"{n}-{id(flow)}-{time.monotonic_ns()}", extra=PAD))
        while not flow.recv(65_536).endswith(b"\r\n\r\n"):
            pass


def _line(server: "subprocess.Popen[str]") -> str:
    return server.stdout.readline() if server.stdout else ""


def _figures(server: "subprocess.Popen[str]") -> tuple[float, int]:
    if server.stdin:
        server.stdin.write("figures\n")
        server.stdin.flush()
    cpu, memory = _line(server).split()
    return float(cpu), int(memory)


def _raise_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# -- the server's process -------------------------------------------------------------------------


async def _serve(kind: str, directory: Path) -> None:
    from certs.authority import Authority

    authority = Authority.open(directory, DOMAIN, lambda: time.time_ns() // 1000)
    server = SipServer(authority, max_strangers_per_address=10_000, max_strangers=10_000)
    if kind == "echo":
        config = SipConfig(max_strangers_per_address=10_000, max_strangers=10_000)
        server.driver = _trusting(Driver(Echo(), config, lambda event: None))  # type: ignore[arg-type]
        context = server.listener._context
        server.listener.close()
        server.listener = server.driver.listener("echo", context)
        server.listener.open(["127.0.0.1"], 0)
    else:
        _trusting(server.driver)
        server.driver._deliver = server.answer  # without keeping the events
    print(server.port, flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        gc.collect()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240
        print(usage.ru_utime + usage.ru_stime, pages * 4096, flush=True)
    await server.stop()


def _trusting(driver: Driver) -> Driver:
    """Each flow counts as logged in from its first message."""
    received = driver.flow_received

    def flow_received(flow, frames):  # type: ignore[no-untyped-def]
        driver.authenticated(flow.id)
        received(flow, frames)

    driver.flow_received = flow_received  # type: ignore[method-assign]
    return driver


if __name__ == "__main__":
    _raise_limit()
    asyncio.run(_serve(sys.argv[1], Path(sys.argv[2])))
