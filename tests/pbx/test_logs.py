import io
import json
import logging
import sys
import threading

import pytest
import structlog

from pbx import logs


@pytest.fixture
def written():
    settings = structlog.get_config()
    before = sys.excepthook, threading.excepthook, sys.unraisablehook, logging.root.handlers[:]
    stream = io.StringIO()
    logs.configure(process="test", stream=stream)
    logs.take_over()
    yield stream
    sys.excepthook, threading.excepthook, sys.unraisablehook, logging.root.handlers[:] = before
    structlog.configure(**settings)


def test_a_line_is_json_with_the_allowed_keys(written) -> None:
    structlog.get_logger().info("call answered", call="0193", elapsed=12)

    line = json.loads(written.getvalue())
    assert line["event"] == "call answered"
    assert (line["call"], line["elapsed"], line["level"], line["process"]) == (
        "0193", 12, "info", "test",
    )  # fmt: skip


def test_a_value_under_a_key_nobody_listed_is_withheld(written) -> None:
    structlog.get_logger().info("call answered", number="+15551234567", name="Jane Roe")

    assert "5551234567" not in written.getvalue()
    assert "Jane" not in written.getvalue()
    assert json.loads(written.getvalue())["number"] == logs.WITHHELD


def test_more_than_a_plain_value_is_withheld_and_long_text_is_cut(written) -> None:
    structlog.get_logger().info("odd", reason={"pin": "1234"}, state="x" * 1000)

    line = json.loads(written.getvalue())
    assert line["reason"] == logs.WITHHELD
    assert len(line["state"]) == 200


def test_an_exception_is_its_type_and_its_lines_never_its_text(written) -> None:
    try:
        raise ValueError("canary-7d1f")
    except ValueError:
        structlog.get_logger().exception("it failed")

    line = json.loads(written.getvalue())
    assert line["error"] == "ValueError"
    assert line["trace"][0].split(":")[0].endswith("test_logs.py")
    assert "canary" not in written.getvalue()


def test_an_exception_given_as_a_value_is_treated_alike(written) -> None:
    structlog.get_logger().error("it failed", exc_info=ValueError("canary-7d1f"))

    assert json.loads(written.getvalue())["error"] == "ValueError"
    assert "canary" not in written.getvalue()


def test_no_exception_at_all_is_no_error(written) -> None:
    structlog.get_logger().error("it failed", exc_info=True)

    assert "error" not in json.loads(written.getvalue())


def test_what_a_library_says_is_withheld_but_where_it_spoke_is_kept(written) -> None:
    logging.getLogger("sqlalchemy.engine").warning("SELECT %s", "canary-7d1f")

    line = json.loads(written.getvalue())
    assert line["library"] == "sqlalchemy.engine"
    assert line["at"].startswith("test_logs:")
    assert "canary" not in written.getvalue()


def test_an_error_nobody_caught_is_logged_without_its_text(written) -> None:
    error = ValueError("canary-7d1f")

    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))

    assert written.getvalue().count('"error": "ValueError"') == 2
    assert "canary" not in written.getvalue()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_in_a_finaliser_is_logged_without_its_text(written) -> None:
    class Bad:
        def __del__(self) -> None:
            raise ValueError("canary-7d1f")

    Bad()

    assert "an error had nowhere to go" in written.getvalue()
    assert "canary" not in written.getvalue()


def test_the_console_shape_is_readable_and_withholds_the_same(written) -> None:
    stream = io.StringIO()
    logs.configure(process="test", stream=stream, shape="console", debug=True)

    try:
        raise ValueError("canary-7d1f")
    except ValueError:
        structlog.get_logger().exception("it failed", number="12345")
    structlog.get_logger().debug("a detail", count=1)

    assert "it failed" in stream.getvalue()
    assert "a detail" in stream.getvalue()
    assert "canary" not in stream.getvalue()
    assert "12345" not in stream.getvalue()
