"""The management plane; no SIP."""
