"""What travels between the `pbx` command and the exchange; bounds are part of the type."""
