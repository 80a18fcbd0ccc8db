"""storage/keyholder/presence.py"""

from storage.keyholder.presence import bound_challenge, relying_party, user_handle


def test_nothing_moves_from_one_part_of_the_challenge_to_the_next() -> None:
    made = {
        bound_challenge(b"ab", b"c", b""),
        bound_challenge(b"a", b"bc", b""),
        bound_challenge(b"ab", b"", b"c"),
        bound_challenge(b"ab", b"c", b"\0"),
    }

    assert len(made) == 4


def test_every_key_holder_is_another_relying_party() -> None:
    assert relying_party(bytes(32)) != relying_party(b"\1" * 32)
    assert relying_party(bytes(32)).endswith(".hipaa-pbx")


def test_a_user_handle_does_not_tell_the_log_in_name() -> None:
    assert user_handle("Anna") == user_handle("anna") != user_handle("anne")
    assert b"anna" not in user_handle("anna")
