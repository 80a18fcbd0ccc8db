"""Counts of connections and SIP messages for Prometheus: admissions, refusals, endings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from certs.diagnose import Cause
from pbx.sip.flows import Counters
from pbx.transport.driver import Driver
from pbx.transport.flow import Ending


class FlowMetrics(Collector):
    """Reads what driver and stack count anyway; labels are the names of closed enumerations."""

    def __init__(self, driver: Driver, counters: Counters) -> None:
        self._driver = driver
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        yield from self._endings()
        yield from self._admissions()
        yield self._messages()

    def _endings(self) -> Iterator[Metric]:
        endings = self._driver.endings
        ended = CounterMetricFamily(
            "pbx_flows_ended", "Connections that ended, by why.", labels=["cause"]
        )
        for ending in Ending:
            ended.add_metric([_label(ending)], endings.counts[ending])
        yield ended
        failed = CounterMetricFamily(
            "pbx_handshakes_failed", "TLS handshakes that failed, by why.", labels=["cause"]
        )
        for cause in Cause:
            failed.add_metric([_label(cause)], endings.causes[cause])
        yield failed

    def _admissions(self) -> Iterator[Metric]:
        admission = self._driver.admission
        yield GaugeMetricFamily(
            "pbx_strangers", "Connections on which nobody has logged in.", admission.strangers
        )
        yield CounterMetricFamily("pbx_flows_admitted", "Connections taken.", admission.admitted)
        yield CounterMetricFamily("pbx_flows_trusted", "Log-ins on a connection.", admission.logins)
        yield CounterMetricFamily(
            "pbx_flows_turned_away", "Connections there was no room for.", admission.refused
        )
        yield GaugeMetricFamily(
            "pbx_flow_memory_bytes", "Held for partial messages and slow readers.",
            self._driver.memory.used,
        )  # fmt: skip

    def _messages(self) -> Metric:
        messages = CounterMetricFamily(
            "pbx_sip_messages", "SIP messages, by what became of them.", labels=["outcome"]
        )
        for outcome, count in asdict(self._counters).items():
            messages.add_metric([outcome], count)
        return messages


def _label(member: Ending | Cause) -> str:
    return member.name.lower().replace("_", "-")
