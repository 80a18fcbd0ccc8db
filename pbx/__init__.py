"""Signalling, policy and the operator's tools of the exchange."""
