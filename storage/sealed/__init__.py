"""Sealed data: primitives and file format."""
