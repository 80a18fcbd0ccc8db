"""storage/keyholder/alarms.py"""

from structlog.testing import capture_logs

from storage.keyholder.alarms import Alarms


def test_each_is_kept_and_logged_once() -> None:
    alarms = Alarms()

    with capture_logs() as logged:
        for sentence in ("two", "one", "two"):
            alarms.add(sentence)

    assert list(alarms) == ["one", "two"]
    assert [(line["log_level"], line["reason"]) for line in logged] == [
        ("error", "two"),
        ("error", "one"),
    ]
