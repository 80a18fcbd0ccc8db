"""storage/keyholder/confided.py"""

from storage.keyholder.confided import Protected


def test_wiping_overwrites_every_secret() -> None:
    secrets = Protected(password=bytearray(b"secret"), pin=bytearray(b"135790"))
    password = secrets.password

    secrets.wipe()

    assert password == bytes(6)
    assert secrets.pin == bytes(6)
