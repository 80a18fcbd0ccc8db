"""RFC 3263 with TLS alone, against tables of records."""

from collections.abc import Sequence

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from dns.rdata import Rdata
from dns.rdtypes.IN.SRV import SRV

from pbx.transport.errors import LocalError
from pbx.transport.resolver import Resolver, Target, spread

Zone = dict[tuple[str, str], list[str]]


def record(kind: str, text: str) -> Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text)


class Table:
    """DNS from a table; what it was asked is kept."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []

    async def records(self, name: str, kind: str) -> Sequence[Rdata]:
        self.asked.append((name, kind))
        return [record(kind, text) for text in self.zone.get((name, kind), [])]


FULL: Zone = {
    ("trunk.example", "NAPTR"): [
        '10 50 "s" "SIP+D2U" "" _sip._udp.trunk.example.',
        '20 50 "s" "SIPS+D2T" "" _sips._tcp.other.example.',
    ],
    ("_sips._tcp.other.example", "SRV"): [
        "20 0 5061 b.trunk.example.",
        "10 0 5999 a.trunk.example.",
    ],
    ("_sips._tcp.trunk.example", "SRV"): ["0 0 5061 b.trunk.example."],
    ("a.trunk.example", "A"): ["192.0.2.1"],
    ("b.trunk.example", "A"): ["192.0.2.2"],
    ("b.trunk.example", "AAAA"): ["2001:db8::2"],
    ("trunk.example", "A"): ["192.0.2.9"],
}


def without(*keys: tuple[str, str]) -> Zone:
    return {key: texts for key, texts in FULL.items() if key not in keys}


@pytest.mark.parametrize(
    ("host", "port", "zone", "targets"),
    [
        ("192.0.2.7", None, {}, [("192.0.2.7", 5061)]),
        ("[2001:db8::7]", 5071, {}, [("2001:db8::7", 5071)]),
        ("trunk.example", 5071, FULL, [("192.0.2.9", 5071)]),
        (
            "trunk.example",
            None,
            FULL,
            [("192.0.2.1", 5999), ("2001:db8::2", 5061), ("192.0.2.2", 5061)],
        ),
        (
            "trunk.example",
            None,
            without(("trunk.example", "NAPTR")),
            [("2001:db8::2", 5061), ("192.0.2.2", 5061)],
        ),
        (
            "trunk.example",
            None,
            {("trunk.example", "A"): ["192.0.2.9"]},
            [("192.0.2.9", 5061)],
        ),
        (
            "trunk.example",
            None,
            {
                ("_sips._tcp.trunk.example", "SRV"): ["0 0 5061 ."],
                ("trunk.example", "A"): ["192.0.2.9"],
            },
            [("192.0.2.9", 5061)],
        ),
    ],
    ids=["ipv4", "ipv6", "port", "naptr", "srv", "address", "srv-says-no"],
)
async def test_targets_come_in_the_order_of_the_rfc(
    host: str, port: int | None, zone: Zone, targets: list[tuple[str, int]]
) -> None:
    found = await Resolver(Table(zone), lambda: 0.0).targets(host, port)

    assert found == [Target(*target) for target in targets]


async def test_a_domain_without_tls_is_not_reached_another_way() -> None:
    zone = {**FULL, ("trunk.example", "NAPTR"): ['1 1 "s" "SIP+D2U" "" _sip._udp.trunk.example.']}
    table = Table(zone)

    with pytest.raises(LocalError, match="not over TLS"):
        await Resolver(table).targets("trunk.example")

    assert table.asked == [("trunk.example", "NAPTR")]


async def test_a_domain_without_records_is_one_sentence() -> None:
    with pytest.raises(LocalError, match="no address"):
        await Resolver(Table({})).targets("absent.example")


async def test_a_zone_that_lists_thousands_is_cut_short() -> None:
    zone: Zone = {
        ("_sips._tcp.big.example", "SRV"): [f"1 1 5061 h{n}.big.example." for n in range(500)]
    }
    zone |= {(f"h{n}.big.example", "A"): ["192.0.2.1"] for n in range(500)}
    table = Table(zone)

    found = await Resolver(table).targets("big.example")

    assert len(found) == 16
    assert len(table.asked) < 50


def test_weights_share_out_and_zero_is_last_but_possible() -> None:
    servers = [record("SRV", f"1 {weight} 5061 h{weight}.example.") for weight in (0, 10, 30)]
    known = [server for server in servers if isinstance(server, SRV)]

    first = [spread(known, lambda at=at: at)[0].weight for at in (0.0, 0.1, 0.25, 0.26, 0.99)]

    assert first == [0, 10, 10, 30, 30]
    assert sorted(server.weight for server in spread(known, lambda: 0.5)) == [0, 10, 30]
