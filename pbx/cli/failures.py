"""How a command fails: one sentence and an exit code."""

from pbx.exits import Exit


class CommandError(Exception):
    """A command ends with this one sentence and this exit code."""

    def __init__(self, sentence: str, code: Exit) -> None:
        super().__init__(sentence)
        self.sentence, self.code = sentence, code
