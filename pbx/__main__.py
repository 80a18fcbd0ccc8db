"""`python -m pbx` is the `pbx` command."""

from pbx.cli.main import main

main()
