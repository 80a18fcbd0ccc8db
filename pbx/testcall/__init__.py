"""A phone of our own, for the one call that shows that an installation works."""
