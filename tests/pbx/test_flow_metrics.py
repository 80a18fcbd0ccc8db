"""What a Prometheus sees of connections: from a real listener, with real ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from certs.contexts import client_context
from pbx.flow_metrics import FlowMetrics
from pbx.metrics import LABELS
from pbx.transport.flow import Ending
from tests.support.sip_server import SipServer, new_authority


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SipServer]:
    authority = new_authority(tmp_path / "certs")
    server = SipServer(authority, max_strangers_per_address=1)
    yield server
    await server.stop()


def registry_of(server: SipServer) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(FlowMetrics(server.driver, server.stack.counters))
    return registry


async def until(registry: CollectorRegistry, name: str, value: float, **labels: str) -> None:
    async with asyncio.timeout(60):
        while registry.get_sample_value(name, labels) != value:  # noqa: ASYNC110  # it is polled
            await asyncio.sleep(0.01)


async def test_admissions_log_ins_refusals_and_endings_are_counted(server: SipServer) -> None:
    registry = registry_of(server)
    context = client_context(server.authority.stock.root)
    _, phone = await asyncio.open_connection(
        "127.0.0.1", server.port, ssl=context, server_hostname="clinic.example"
    )
    await until(registry, "pbx_strangers", 1)
    with socket.create_connection(("127.0.0.1", server.port)):  # one stranger too many
        await until(registry, "pbx_flows_turned_away_total", 1)
    [flow] = server.driver.flows
    server.driver.authenticated(flow)
    await until(registry, "pbx_flows_trusted_total", 1)
    phone.close()
    await until(registry, "pbx_flows_ended_total", 1, cause="left-unheard")
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        plain.sendall(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
        await until(registry, "pbx_handshakes_failed_total", 1, cause="not-tls")
    await until(registry, "pbx_flows_ended_total", 1, cause="handshake-failed")
    assert registry.get_sample_value("pbx_flows_admitted_total") == 2
    assert registry.get_sample_value("pbx_sip_messages_total", {"outcome": "malformed"}) == 0


async def test_every_ending_has_a_series_from_the_start_and_no_label_names_anybody(
    server: SipServer,
) -> None:
    samples = [sample for family in registry_of(server).collect() for sample in family.samples]

    causes = {s.labels["cause"] for s in samples if s.name == "pbx_flows_ended_total"}
    assert len(causes) == len(Ending) and "crowded-out" in causes
    assert {label for sample in samples for label in sample.labels} <= LABELS
    assert all(sample.value == 0 for sample in samples)
