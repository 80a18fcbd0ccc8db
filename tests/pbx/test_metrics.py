import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from pbx import metrics


@pytest.fixture
def served():
    registry = CollectorRegistry()
    Counter("calls", "Calls.", registry=registry).inc()
    server = metrics.MetricsServer(0, registry)
    server.start()
    yield server
    server.stop()


def test_metrics_are_served_on_the_loopback_address(served) -> None:
    answer = httpx.get(served.address, trust_env=False)

    assert "calls_total 1.0" in answer.text
    assert served.address.startswith("http://127.0.0.1:")


def test_no_other_address_listens(served) -> None:
    port = int(served.address.split(":")[2].split("/")[0])
    with socket.socket() as probe:
        with pytest.raises(OSError):
            probe.connect(("127.0.0.2", port))


@pytest.mark.parametrize("label", ["number", "device", "call", "name", "address"])
def test_no_identifier_is_a_label(label: str) -> None:
    with pytest.raises(ValueError, match=f"no metric has the label {label}"):
        metrics.counter("things", "Things.", [label])


def test_every_metric_of_ours_has_only_labels_of_the_list() -> None:
    metrics.counter("test_things", "Things.", ["kind"]).labels("a").inc()
    metrics.gauge("test_level", "Level.").set(1)

    used = {
        label
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        for label in sample.labels
    }
    assert used <= metrics.LABELS


def test_nothing_is_served_before_the_start_and_stopping_twice_is_fine() -> None:
    server = metrics.MetricsServer(9464)

    assert server.address == "http://127.0.0.1:9464/metrics"
    server.stop()
