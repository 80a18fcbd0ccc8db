"""What a phone hears that nobody says: prompts, ringing, music; and how long, while it waits."""

from collections.abc import Callable, Iterator

from media.errors import Misuse
from media.sdp.formats import Codec
from media.values import Player
from media.worker.codecs.coder import WIDEST, is_known, recoded
from media.worker.loop import Deadline, Loop
from media.worker.player import Playback
from media.worker.sounds import CODECS, WAITING, Sounds
from media.worker.stream import Stream

LEFT_ALONE = 0.02
"""Seconds until somebody whose partner is gone hears music."""
WORDLESS = 0.5
"""Seconds that music or ringing go on at most, for somebody who is joined with a silent phone."""

Voice = tuple[int, Codec]
"""The payload type and the codec that a phone hears us in."""
Frames = Iterator[bytes | memoryview]


class Earpiece:
    """Of one leg: at most one player at a time."""

    def __init__(self, loop: Loop, stream: Stream, sounds: Sounds, fed: Callable[[], None]) -> None:
        """`fed` hears that the music came to its end."""
        self._loop, self._stream, self._sounds, self._fed = loop, stream, sounds, fed
        self._playback: Playback | None = None
        self._music: Voice | None = None
        """What the playback is in while it is the music of somebody who waits."""
        self._turn: Deadline | None = None
        """When what it hears changes, if nobody says otherwise."""
        self.is_waiting = False
        """It hears something without end, until somebody is there."""

    def frames(self, player: Player, codec: Codec) -> Frames:
        """A player's frames as they are kept, or coded while they are played."""
        found = self._frames(player, codec)
        if found is None:
            raise Misuse("nothing can be played in the codec of this leg")
        return found

    def play(
        self,
        number: int,
        frames: Frames,
        ended: Callable[[], None],
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        """Frames of 20 ms in its own codec, instead of whatever it hears."""
        self.stop()

        def over() -> None:
            self._playback = None
            ended()

        self._playback = Playback(self._loop, self._stream, number, frames, over, stopped)

    def stop(self) -> None:
        """Cut the player off."""
        self._forget_turn()
        self._music, self.is_waiting = None, False
        if self._playback is not None:
            self._playback.stop()
            self._playback = None

    def stop_waiting(self) -> None:
        """Somebody is there."""
        if self.is_waiting:
            self.stop()

    def stop_music(self) -> None:
        """Whoever put it on hold is gone."""
        if self._music is not None:
            self.stop()

    def play_music(self, voice: Voice | None) -> None:
        """Until its partner listens again; a codec we cannot play in is left silent."""
        self._forget_turn()
        if voice is None or self._music == voice:
            return
        self.stop()
        number, codec = voice
        frames = self._frames(WAITING, codec)
        if frames is not None:
            self.play(number, frames, self._fed)
            self._music, self.is_waiting = voice, True

    def wind_down(self) -> None:
        """What it hears while it waits goes on until a word of whom it is joined with: that may
        take a handshake. Not for long, they may have nothing to say."""
        if self.is_waiting:
            self.turn_after(WORDLESS, self.stop)

    def turn_after(self, seconds: float, act: Callable[[], None]) -> None:
        """If nobody says otherwise."""
        self._forget_turn()
        self._turn = self._loop.at(self._loop.now() + seconds, act)

    def _forget_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _frames(self, player: Player, codec: Codec) -> Frames | None:
        if codec.name in CODECS:
            return self._sounds.frames(player, codec.name)
        if is_known(codec):
            return recoded(self._sounds.frames(player, WIDEST), WIDEST, codec.name)
        return None
