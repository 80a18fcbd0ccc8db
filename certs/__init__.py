"""The private certificate authority as code; never key material."""
