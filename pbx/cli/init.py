"""`pbx init`: make the data directory."""

from pathlib import Path
from typing import Annotated

import typer

from certs.errors import CertsError
from pbx.admin.bootstrap import BootstrapRefused
from pbx.cli.founders import Founders
from pbx.cli.output import (
    AddressOption,
    CommandError,
    DataOption,
    DomainOption,
    Exit,
    layout_of,
    say,
)
from pbx.config import DOMAIN
from pbx.installation import InitRefused, Plan, initialise, own_addresses
from pbx.processes.accounts import AccountError, Accounts
from storage.errors import StorageError
from storage.keyholder.client import InvalidRequest

NameOption = Annotated[
    list[str] | None,
    typer.Option("--name", help="Another host name phones connect to; repeat it."),
]
RootKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--move-root-key",
        help="Write the root CA's key to this file, such as on a stick, and keep no copy here.",
    ),
]


def init(
    domain: DomainOption = DOMAIN,
    ip: AddressOption = None,
    name: NameOption = None,
    move_root_key: RootKeyOption = None,
    database: Annotated[
        str, typer.Option(help="A PostgreSQL URL instead of the embedded database.")
    ] = "",
    database_owner: Annotated[
        str, typer.Option(help="The URL of the PostgreSQL role that owns the tables.")
    ] = "",
    administrator: Annotated[
        str, typer.Option(help="Log-in name of the first administrator.")
    ] = "admin",
    administrator_name: Annotated[str, typer.Option(help="Their name.")] = "Administrator",
    generate_password: Annotated[
        bool, typer.Option("--generate-password", help="Do not ask; show a random one once.")
    ] = False,
    data: DataOption = None,
) -> None:
    """Make the data directory: configuration, keys, database, first administrator.

    Example: pbx init --domain pbx.clinic.example --ip 192.0.2.10 --move-root-key /mnt/root.key
    """
    layout = layout_of(data)
    plan = Plan(
        layout=layout,
        domain=domain,
        names=tuple(name or ()),
        addresses=tuple(ip) if ip else own_addresses(),
        database=database,
        database_owner=database_owner,
        move_root_key=move_root_key.absolute() if move_root_key else None,
        founder=Founders(administrator, administrator_name, generate_password),
    )
    owners = made(plan)
    option = f" --data {layout.root}" if data else ""
    say(f"Made {layout.root} for {domain} ({owners.mode}).")
    if plan.move_root_key is None:
        say(
            f"The root CA's key is in {layout.certificates}; it is not needed to serve. "
            "Move it to where only you reach it."
        )
    else:
        say(f"The root CA's key is in {plan.move_root_key} alone; keep it off this machine.")
    say(f"Next: pbx serve{option}, then in another terminal: pbx login {administrator}{option}")


def made(plan: Plan) -> Accounts:
    """Makes the installation, or ends the command with the reason why not."""
    try:
        return initialise(plan)
    except (InitRefused, AccountError, CertsError, ValueError) as error:
        # ValueError: what a configuration table says of the values it was given.
        raise CommandError(str(error), Exit.USAGE) from None
    except (InvalidRequest, BootstrapRefused) as error:
        raise CommandError(f"Nothing was made: {error}.", Exit.REFUSED) from None
    except StorageError as error:
        raise CommandError(f"Nothing was made: {error}.", Exit.UNAVAILABLE) from None
