from pathlib import Path

from pbx.paths import SYSTEM_ROOT, Layout, default_root


def test_root_uses_the_system_directory() -> None:
    assert default_root(root=True) == SYSTEM_ROOT


def test_a_person_uses_the_xdg_data_directory() -> None:
    environment = {"HOME": "/home/x", "XDG_DATA_HOME": "/data"}

    assert default_root(environment, root=False) == Path("/data/hipaa-pbx")


def test_a_relative_xdg_data_directory_is_ignored() -> None:
    environment = {"HOME": "/home/x", "XDG_DATA_HOME": "data"}

    assert default_root(environment, root=False) == Path("/home/x/.local/share/hipaa-pbx")


def test_the_environment_of_the_process_is_the_default(monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")

    assert default_root(root=False) == Path("/elsewhere/hipaa-pbx")


def test_each_kind_of_data_and_each_socket_has_a_directory_of_its_own() -> None:
    layout = Layout(Path("/d"))
    kinds = [layout.config, layout.credentials, layout.database, layout.keys, layout.spool]
    sockets = [
        layout.admin_socket,
        layout.keyholder_exchange_socket,
        layout.keyholder_worker_socket,
        layout.worker_socket(0),
        layout.worker_socket(1),
    ]

    assert len({*kinds, layout.run}) == 6
    assert len({socket.parent for socket in sockets}) == 5
    assert layout.database_file.parent == layout.database


def test_a_data_directory_counts_once_init_has_finished(tmp_path) -> None:
    layout = Layout(tmp_path)
    layout.config.mkdir()
    layout.unfinished.touch()
    layout.config_file.touch()
    assert not layout.is_initialised

    layout.unfinished.unlink()

    assert layout.is_initialised
