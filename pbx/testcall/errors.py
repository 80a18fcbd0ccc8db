"""What a test call can find."""


class CallTestFailed(Exception):
    """The call did not do what it should; the text is one sentence without its full stop."""
