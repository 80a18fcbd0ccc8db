"""Voicemail as the exchange sees it: what is stored, who is told, what becomes of it in time."""
