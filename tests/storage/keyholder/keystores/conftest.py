"""A real PKCS#11 token."""

from tests.support.softhsm import softhsm

__all__ = ["softhsm"]
