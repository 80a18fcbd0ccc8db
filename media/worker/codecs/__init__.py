"""Codecs for prompts and tones."""
