"""storage/keyholder/logins.py"""

from storage.keyholder import acts, protocol
from tests.support.keyholder import House


async def test_the_first_administrator_enrols_and_logs_in(house: House) -> None:
    someone = await house.administrator()
    opened = await house.log_in(someone)
    assert isinstance(opened, protocol.Opened)
    assert opened.roles == (acts.Role.SYSTEM_ADMINISTRATOR,)


async def test_a_second_person_is_enrolled(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", acts.Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", acts.Role.PHYSICIAN, admin, manager)
    assert isinstance(await house.log_in(doctor), protocol.Opened)
