"""What every test of a command may ask for."""

from tests.support.command_line import as_root, command

__all__ = ["as_root", "command"]
