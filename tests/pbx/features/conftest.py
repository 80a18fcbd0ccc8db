from tests.support.calling import database, exchange

__all__ = ["database", "exchange"]
