"""The back-to-back user agent (RFC 7092): legs, calls, and who is shown to whom."""
