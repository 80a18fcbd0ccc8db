"""storage/keyholder/sessions.py"""

from uuid import UUID, uuid4

from storage.keyholder import sessions
from storage.keyholder.sessions import CHALLENGE_LIFE, Challenges, Session, Sessions

ANN, BEN = UUID(int=1), UUID(int=2)


def opened(table: Sessions, person: UUID, now: int = 0) -> tuple[bytes, Session]:
    return table.open(person, "command-line", "terminal", now=now, idle=10, life=25)


def test_activity_moves_the_idle_limit_but_not_the_end() -> None:
    table = Sessions(5)
    handle, session = opened(table, ANN)

    assert table.find(handle, 9, activity=True) is session
    assert table.find(handle, 18, activity=True) is session
    assert session.view().idle_at == 25
    assert table.find(handle, 25, activity=True) is None


def test_looking_is_no_activity() -> None:
    table = Sessions(5)
    handle, _ = opened(table, ANN)

    assert table.find(handle, 9, activity=False) is not None
    assert table.find(handle, 10, activity=True) is None


def test_the_oldest_session_of_the_same_person_gives_way() -> None:
    table = Sessions(2)
    other, _ = opened(table, BEN)
    handles = [opened(table, ANN, now)[0] for now in range(3)]

    alive = [handle for handle in (other, *handles) if table.find(handle, 3, activity=False)]

    assert alive == [other, *handles[1:]]


def test_sessions_end_one_by_one_or_all_of_a_person() -> None:
    table = Sessions(5)
    first, session = opened(table, ANN)
    second, _ = opened(table, ANN)
    third, _ = opened(table, BEN)

    assert table.end_of(ANN, uuid4()) == []
    assert table.end_of(ANN, session.id) == [session]
    assert table.find(first, 0, activity=False) is None
    assert [view.person for view in table.views(None, 0)] == [ANN, BEN]
    assert len(table.end_of(ANN)) == 1
    assert table.end(second) is None
    assert [view.person for view in table.views(BEN, 0)] == [BEN]
    table.clear()
    assert table.find(third, 0, activity=False) is None


def test_all_sessions_of_a_person_end_but_one() -> None:
    table = Sessions(5)
    others, (kept, session), (bens, _) = (
        opened(table, ANN)[0],
        opened(table, ANN),
        opened(table, BEN),
    )

    table.end_others(session)

    alive = [one for one in (others, kept, bens) if table.find(one, 0, activity=False)]
    assert alive == [kept, bens]


def test_a_challenge_is_good_once_and_for_two_minutes() -> None:
    challenges = Challenges()
    one, other = challenges.give(0), challenges.give(0)

    assert challenges.take(one, 1)
    assert not challenges.take(one, 1)
    assert not challenges.take(other, CHALLENGE_LIFE)
    assert not challenges.take(b"made up", 0)


def test_a_flood_of_challenges_drops_the_oldest() -> None:
    challenges = Challenges()
    first = challenges.give(0)
    later = [challenges.give(0) for _ in range(sessions.MAX_CHALLENGES)]

    assert not challenges.take(first, 0)
    assert challenges.take(later[0], 0)
