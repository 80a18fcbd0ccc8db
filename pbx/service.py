"""The one place where the processes are put together: exchange, media worker, key holder.

`python -m pbx.service exchange|worker|keyholder --data DIR [--index N]` is started by the
supervisor or by a systemd unit; nothing else constructs what these processes are made of.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from certs.errors import CertsError
from media.worker.limits import LimitError as WorkerLimit
from pbx import logs
from pbx.config import Config, ConfigError, load
from pbx.exits import GAVE_WAY, Exit
from pbx.paths import Layout
from pbx.processes import accounts, hardening, runner
from pbx.processes.accounts import AccountError, Accounts
from pbx.processes.lifeline import Lifeline, SupervisorGone
from pbx.processes.notify import Systemd
from pbx.transport.errors import TransportError
from storage.errors import StorageError
from storage.keyfiles import KeyFileError

KINDS: Final = ("exchange", "worker", "keyholder")

GARBAGE: Final = (10_000, 5, 10)
"""When garbage is looked for. Python's 700 finds most of a call's objects alive: it took a
twentieth of the call's time."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Setting:
    """What every process is given."""

    layout: Layout
    config: Config
    accounts: Accounts
    index: int
    lifeline: Lifeline
    systemd: Systemd


def exchange(setting: Setting) -> int:
    # Imported here, so that a worker or key holder starts without what only the exchange needs;
    # nothing of it is garbage, and looking for some would be a fifth of the time it takes.
    gc.disable()
    from pbx.exchange import Exchange

    # PostgreSQL's password, where it needs one, is in libpq's own format beside the other keys.
    os.environ["PGPASSFILE"] = str(setting.layout.credentials / "pgpass")
    service = Exchange(setting.layout, setting.config, setting.accounts.mode)
    setting.lifeline.on_news = service.take_news
    # What is here now stays; looking through all of it would hold every phone up for 80 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    gc.enable()
    asyncio.run(runner.run(service, setting.lifeline, setting.systemd))
    return GAVE_WAY if service.restart.is_giving_way else Exit.DONE


def worker(setting: Setting) -> int:
    from media.worker import process
    from pbx.worker_vault import WorkerVault
    from storage.identifiers import system_clock
    from storage.keyholder.line import Line
    from storage.sealed.vault import Vault

    lifeline, layout, systemd = setting.lifeline, setting.layout, setting.systemd
    line = Line(layout.keyholder_worker_socket)

    def ready() -> None:
        lifeline.ready()
        systemd.ready("serving")

    # Pings are answered by the loop that relays: a worker that hangs is noticed.
    watch = {lifeline.fileno(): lifeline.answer} if lifeline.is_held else {}
    with contextlib.suppress(SupervisorGone):
        process.run(
            layout.worker_socket(setting.index).parent,
            setting.index,
            setting.config.media,
            peers=frozenset({setting.accounts.exchange.uid}),
            prompts=layout.prompts,
            messages=layout.message_spool,
            vault=WorkerVault(Vault(layout.keyholder_pin, line, system_clock)),
            ready=ready,
            reloaded=lifeline.ready,
            watch=watch,
            beat=(systemd.watchdog / 2, systemd.alive) if systemd.watchdog else None,
        )
    return Exit.DONE


def keyholder(setting: Setting) -> int:
    from storage.keyholder.edges import Place
    from storage.keyholder.process import KeyHolderProcess, Places
    from storage.keyholder.protocol import Edge

    layout, own = setting.layout, setting.accounts
    operators = frozenset({0, own.keys.uid})
    edges = {
        Edge.EXCHANGE: Place(layout.keyholder_exchange_socket, frozenset({own.exchange.uid})),
        Edge.WORKER: Place(layout.keyholder_worker_socket, frozenset({own.media.uid})),
        Edge.OPERATOR: Place(layout.keyholder_operator_socket, operators),
    }
    places = Places(keys=layout.keys, data=layout.database, edges=edges)
    service = KeyHolderProcess(places, setting.config.keyholder, dict(os.environ))
    asyncio.run(runner.run(service, setting.lifeline, setting.systemd))
    return Exit.DONE


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    hardening.keep_memory_private()
    if options.parent:
        hardening.die_with(options.parent)
    name = options.kind if options.kind != "worker" else f"worker-{options.index}"
    logs.configure(process=name)
    logs.take_over()
    lifeline = Lifeline.inherited(os.environ)
    try:
        layout = Layout(options.data)
        config = load(layout.config_file)
        logs.configure(process=name, debug=config.logs.debug)
        systemd = Systemd.of(os.environ) if not lifeline.is_held else Systemd(None, None)
        own = accounts.named() if options.separate else accounts.own()
        run = {"exchange": exchange, "worker": worker, "keyholder": keyholder}[options.kind]
        return run(Setting(layout, config, own, options.index, lifeline, systemd))
    except (ConfigError, AccountError) as error:
        return _refuse(lifeline, str(error), Exit.USAGE)
    except (CertsError, StorageError, KeyFileError, TransportError) as error:
        return _refuse(lifeline, str(error), Exit.UNAVAILABLE)
    except (hardening.LimitError, WorkerLimit) as error:
        return _refuse(lifeline, str(error), Exit.UNAVAILABLE)
    except OSError as error:
        named = error.filename or "The system"
        return _refuse(lifeline, f"{named}: {error.strerror or error}", Exit.UNAVAILABLE)


def _refuse(lifeline: Lifeline, sentence: str, code: Exit) -> int:
    log.error("this process cannot serve", reason=sentence)
    lifeline.failed(sentence[:1].upper() + sentence[1:].rstrip(".") + ".", code)
    return code


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pbx.service")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--separate", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
