"""`pbx serve`: run the exchange in the foreground."""

import asyncio
import os
from collections.abc import Callable

from pbx import logs
from pbx.cli.output import CommandError, DataOption, Exit, initialised, say
from pbx.config import Config, ConfigError, load
from pbx.paths import Layout
from pbx.processes import accounts, hardening
from pbx.processes.accounts import AccountError, Accounts
from pbx.processes.notify import Systemd
from pbx.supervisor import AlreadyServing, Stopped, Supervisor

Announce = Callable[[Layout, Config, Accounts, dict[str, str]], None]


def serve(data: DataOption = None) -> None:
    """Run the exchange until Ctrl-C or SIGTERM; SIGHUP reads the configuration again.

    Example: pbx serve --data /srv/pbx
    """
    run(initialised(data), _announce)


def _announce(layout: Layout, _config: Config, owners: Accounts, _facts: dict[str, str]) -> None:
    say(f"hipaa-pbx is ready in {layout.root} ({owners.mode}).")


def run(layout: Layout, announce: Announce) -> None:
    """Supervises until told to stop; every reason not to is one sentence."""
    try:
        config = load(layout.config_file)
        owners = accounts.current()
        _check_owner(layout)
        logs.configure(process="supervisor", debug=config.logs.debug)
        hardening.keep_memory_private()
        hardening.allow_files(config.media.files_per_worker)
        hardening.allow_locked_memory()
        accounts.lay_out(accounts.places(layout, owners, config.media.worker_count))
        supervisor = Supervisor(
            layout,
            config,
            owners,
            Systemd.of(os.environ),
            lambda facts: announce(layout, config, owners, facts),
        )
        asyncio.run(supervisor.run())
    except (ConfigError, AccountError) as error:
        raise CommandError(str(error), Exit.USAGE) from None
    except hardening.LimitError as error:
        raise CommandError(f"{error}.", Exit.UNAVAILABLE) from None
    except AlreadyServing:
        raise CommandError(f"{layout.root} is being served already.", Exit.REFUSED) from None
    except Stopped as stopped:
        raise CommandError(stopped.sentence, Exit(stopped.code)) from None


def _check_owner(layout: Layout) -> None:
    owner = layout.root.stat().st_uid
    if owner == os.geteuid():
        return
    who = accounts.name_of(owner)
    raise CommandError(f"{layout.root} belongs to {who}; serve it as {who}.", Exit.REFUSED)
