"""What every test of a command may ask for."""

from tests.support.command_line import acting, as_root, command

__all__ = ["acting", "as_root", "command"]
