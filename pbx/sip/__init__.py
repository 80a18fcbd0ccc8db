"""The SIP stack: sans-IO, imports nothing but itself."""
