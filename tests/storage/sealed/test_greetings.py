"""storage/sealed/greetings.py"""

from storage.sealed import primitives
from storage.sealed.greetings import greeting_key


def test_each_greeting_has_a_key_of_its_own() -> None:
    one, other = greeting_key(b"g" * 32, bytes(16)), greeting_key(b"g" * 32, b"x" * 16)

    assert len(one) == 32
    assert one != other
    assert one == primitives.hkdf(b"g" * 32, "greeting", bytes(16))
