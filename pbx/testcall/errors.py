"""What a test call can find."""


class TestCallFailed(Exception):
    """The call did not do what it should; the text is one sentence without its full stop."""
