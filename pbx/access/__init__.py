"""Who may: authentication, roles and policy."""
