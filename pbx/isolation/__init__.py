"""Whether an extension's former holder and its present one are kept apart, tried on the system."""
