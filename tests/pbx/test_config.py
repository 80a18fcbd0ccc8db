import tomllib

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pbx.config import MAX_BYTES, Config, ConfigError, as_toml, load, parse


def refusal(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        parse(data, "pbx.toml")
    return str(caught.value)


def test_an_empty_file_has_the_defaults() -> None:
    assert parse(b"", "pbx.toml") == Config()


def test_what_is_shown_can_be_read_back() -> None:
    assert parse(as_toml(Config()).encode(), "pbx.toml") == Config()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[exchange\n", "pbx.toml, line 1, column 10: is not TOML: expected ']' at the end"),
        ("a = 1\nb = [\n", "pbx.toml, line 3: is not TOML: invalid value."),
        ("[metrics]\nport = 'x'\n", "pbx.toml, line 2: metrics.port: expected int, got str."),
        ("\n[metrics]\nprot = 1\n", "pbx.toml, line 3: metrics.prot: there is no such key."),
        ("[metric]\n", "pbx.toml, line 1: metric: there is no such key."),
        ("metrics.port = 70000\n", "pbx.toml: metrics.port: is between 0 and 65535."),
        ("[metrics]\nport = -1", "pbx.toml, line 2: metrics.port: is between 0 and 65535."),
        ("[exchange]\ndrain_seconds = -1", "exchange.drain_seconds: is between 0 and 86400."),
        ("[exchange]\ndomain = '*.a.b'", "exchange.domain: is a DNS name of letters"),
        (
            "[storage]\nurl = 'postgresql://a:b@c/d'\nowner_url = 'postgresql://e@c/d'",
            "storage.url: holds a password",
        ),
        ("metrics = 1", "pbx.toml, line 1: metrics: expected object, got int."),
        (b"a = '\xff'", "pbx.toml, line 1: is not UTF-8 text."),
        ("a = " + "[" * 5000, "pbx.toml: is nested too deeply."),
        ("a = " + "1" * 5000, "pbx.toml: holds a number or date that is out of range."),
        (b"#" * (MAX_BYTES + 1), f"pbx.toml: is longer than {MAX_BYTES} bytes."),
    ],
)
def test_a_mistake_is_named_by_place_and_rule(text: str | bytes, sentence: str) -> None:
    assert sentence.split("expected ']'")[0] in refusal(text)


def test_a_refusal_never_quotes_the_value() -> None:
    assert "hunter2" not in refusal('[exchange]\ndomain = "hunter2 secret"')
    assert "hunter2" not in refusal('[exchange]\ndomain = "hunter2')


def test_no_key_of_any_table_turns_encryption_off() -> None:
    words = as_toml(Config()).lower()

    for word in ("insecure", "plaintext", "verify = false", "encrypt", "no_tls", "allow_clear"):
        assert word not in words


LINES = st.sampled_from(
    [
        "[exchange]", "[metrics]", "[logs]", "[[metrics]]", "[", "port = ", "port = 1", "debug = 1",
        "domain = 'a.b'", "domain = []", "x.y.z = 1", "drain_seconds = 1e400", "port = 0x1F",
        "port = 9999999999999999999999", "debug = nan", "domain = 1979-05-27",
        '"" = 1', "'a\tb' = 2",
        "domain = '''", '"\\u0000" = 1', "# -*-", "exchange = {domain = 'a.b'}", "\u202e = 1",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.lists(LINES, max_size=8).map(lambda lines: "\n".join(lines).encode())
)
@example(b"a = 9999-99-99")
@example(b'"a\\u001b[2J" = 1')
def test_any_bytes_are_a_configuration_or_one_sentence(data: bytes) -> None:
    try:
        parse(data, "pbx.toml")
    except ConfigError as error:
        sentence = str(error)
        assert sentence.startswith("pbx.toml")
        assert sentence.endswith(".")
        assert sentence.isprintable()


def test_phones_may_take_our_names_and_addresses_for_the_domain() -> None:
    text = b"""
[exchange]
domain = "PBX.Clinic.Example"
[certs]
names = ["sip.clinic.example"]
addresses = ["192.0.2.10", "2001:DB8::10"]
[media]
advertise = {"192.0.2.10" = "203.0.113.1"}
"""
    config = parse(text, "pbx.toml")

    assert config.exchange.domain == "pbx.clinic.example"  # as hosts of URIs are compared
    names = {"pbx.clinic.example", "sip.clinic.example"}
    assert config.aliases == names | {"192.0.2.10", "2001:db8::10", "203.0.113.1"}


def test_a_file_that_is_not_there_is_a_sentence(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file or directory\.$"):
        load(tmp_path / "none.toml")


def test_a_file_everybody_may_write_to_is_refused(tmp_path) -> None:
    path = tmp_path / "pbx.toml"
    path.touch()
    path.chmod(0o666)

    with pytest.raises(ConfigError, match="every account may write to it"):
        load(path)


def test_a_file_is_read_from_its_path(tmp_path) -> None:
    path = tmp_path / "pbx.toml"
    path.write_text("[exchange]\ndomain = 'pbx.clinic.example'\n")

    assert load(path).exchange.domain == "pbx.clinic.example"


def test_every_key_is_explained() -> None:
    for table in msgspec.structs.fields(Config):
        assert isinstance(table.type, type)
        assert table.type.__doc__, f"[{table.name}] says nothing"


def test_shown_configuration_is_toml_whatever_the_values() -> None:
    shown = as_toml(parse(b"[logs]\ndebug = true", "pbx.toml"))

    assert tomllib.loads(shown)["logs"] == {"debug": True}
