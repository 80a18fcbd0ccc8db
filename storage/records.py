"""The hourly records key: what was recorded in one hour opens with one key, held in memory.

The exchange makes a key each hour, keeps it for that hour alone and stores beside the rows a copy
sealed to the key holder's records key (HPKE). After the hour only the key holder opens it again,
for a session that may read records.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from storage.identifiers import Clock, new_id
from storage.keyholder.signing import BadKey, SignedKey, check_key
from storage.keyholder.slots import sealed_records_key
from storage.sealed import primitives
from storage.sealed.fields import FieldKey

HOUR = 3_600_000_000
PURPOSE = "records"


@dataclass(frozen=True, slots=True)
class RecordsKey:
    """The key of one hour."""

    id: UUID
    made_at: int
    fields: FieldKey
    sealed: bytes
    """The key itself, sealed to the records key of the key holder."""
    sealed_to: UUID


class HourlyKeys:
    """Gives out the key of the hour; makes the next one when the hour is over."""

    def __init__(
        self, pinned: bytes, records_key: Callable[[], SignedKey | None], clock: Clock
    ) -> None:
        """`records_key` gives the newest signed public key known (cached for a cold start)."""
        self._pinned = pinned
        self._records_key = records_key
        self._clock = clock
        self._current: RecordsKey | None = None

    def current(self) -> RecordsKey | None:
        """The key of this hour; None without a public key that the key holder signed."""
        now = self._clock()
        key = self._current
        if key is not None and 0 <= now - key.made_at < HOUR:
            return key
        self._current = self._make(now)
        return self._current

    def held(self, id: UUID) -> FieldKey | None:
        """The key of a row written in this hour; older ones are the key holder's to open."""
        key = self.current()
        return key.fields if key is not None and key.id == id else None

    def _make(self, now: int) -> RecordsKey | None:
        public = self._records_key()
        if public is None:
            return None
        try:
            check_key(self._pinned, public, purpose=PURPOSE, now=now)
        except BadKey:
            return None
        id = new_id(self._clock)
        secret = bytearray(primitives.random(primitives.KEY))
        sealed = sealed_records_key(public, secret)
        fields = FieldKey(secret, PURPOSE)
        primitives.wipe(secret)
        return RecordsKey(id, now, fields, sealed, public.id)
