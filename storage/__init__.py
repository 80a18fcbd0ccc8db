"""Storage of data at rest; knows nothing of SIP or RTP."""
