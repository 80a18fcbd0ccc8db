"""TLS flows, framing and the driver: the only asyncio and ssl below calls."""
