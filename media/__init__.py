"""RTP: the media client and the worker processes; knows nothing of SIP."""
