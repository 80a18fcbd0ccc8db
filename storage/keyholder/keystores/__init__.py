"""Where the root wrapping key comes from."""
