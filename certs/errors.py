"""What can go wrong with certificates: each error is one sentence an operator can act on.

CertsError
├── AuthorityError      the directory, its keys or its clock are not as they must be
├── NameRefused         a name or address that no certificate of ours will carry
└── ImportRefused       a chain or key brought from elsewhere does not pass its checks
"""


class CertsError(Exception):
    """Base of everything this package raises on purpose."""


class AuthorityError(CertsError):
    """The authority cannot do what was asked in its present state."""


class NameRefused(CertsError, ValueError):
    """The name is not one a certificate of ours may carry."""


class ImportRefused(CertsError):
    """The chain or key from elsewhere breaks the named rule."""
