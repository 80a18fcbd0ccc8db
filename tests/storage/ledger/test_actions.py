from storage.ledger.actions import EMERGENCY, Action


def test_every_action_is_noun_and_participle() -> None:
    for action in Action:
        noun, _, verb = action.value.partition(".")
        assert noun.replace("_", "").isalnum()
        assert verb


def test_only_emergency_calls_may_use_what_is_reserved_for_them() -> None:
    assert {action.value.partition(".")[0] for action in EMERGENCY} == {"emergency_call"}
