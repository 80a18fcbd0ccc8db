"""`pbx quickstart`: init with safe defaults where nothing is there yet, then serve."""

from pbx.cli.output import AddressOption, DataOption, DomainOption, layout_of, say
from pbx.cli.serve import run
from pbx.config import DOMAIN, Config
from pbx.paths import Layout
from pbx.processes.accounts import Accounts


def quickstart(
    domain: DomainOption = DOMAIN, ip: AddressOption = None, data: DataOption = None
) -> None:
    """Make an installation with safe defaults if there is none, then run it.

    Example: pbx quickstart --data /tmp/pbx
    """
    layout = layout_of(data)
    if not layout.is_initialised:
        _make(layout, domain, ip)
    run(layout, lambda *up: _announce(*up, named=data is not None))


def _make(layout: Layout, domain: str, ip: list[str] | None) -> None:
    # Imported here: a second start makes nothing, and is ready a second earlier.
    from pbx.cli.founders import Founders
    from pbx.cli.init import made
    from pbx.installation import Plan, own_addresses

    say(f"Making {layout.root} ...")
    addresses = tuple(ip) if ip else own_addresses()
    founder = Founders(generate=True, samples=True)
    made(Plan(layout=layout, domain=domain, addresses=addresses, founder=founder))


def _announce(
    layout: Layout, config: Config, owners: Accounts, facts: dict[str, str], *, named: bool
) -> None:
    option = f" --data {layout.root}" if named else ""
    width = max(map(len, ("data directory", *facts)))
    say("", f"hipaa-pbx is ready for {config.exchange.domain}.")
    for what, where in (("data directory", str(layout.root)), *facts.items()):
        say(f"  {what:{width}}  {where}")
    say(f"  {'accounts':{width}}  {owners.mode}")
    say(
        "Next, in another terminal:",
        f"  pbx status{option}",
        f"  pbx login admin{option}",
        "Ctrl-C stops it.",
        "",
    )
