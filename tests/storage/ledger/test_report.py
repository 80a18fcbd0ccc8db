import msgspec

from storage.ledger.report import Fault, Finding, LostRows, Report


def test_only_findings_make_a_ledger_not_whole() -> None:
    gap = LostRows("w", 3, 1, {"a": 1}, 1, 2)

    assert Report(gaps=[gap], notices=["x"]).is_whole
    assert not Report(findings=[Finding(Fault.MISSING, "w", 1, "row 1 is missing")]).is_whole


def test_a_report_is_json_for_programs() -> None:
    report = Report(rows=1, findings=[Finding(Fault.ALTERED, "w", 2, "row 2 was altered")])

    assert msgspec.json.decode(msgspec.json.encode(report))["findings"] == [
        {
            "fault": "altered",
            "writer": "w",
            "sequence": 2,
            "sentence": "row 2 was altered",
            "last": None,
        }
    ]
