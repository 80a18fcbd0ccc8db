"""`pbx registrations`: the phones that can be reached now."""

from pbx.admin.wire.phones import RegistrationView
from pbx.cli.live import WatchOption, draw
from pbx.cli.moments import shown
from pbx.cli.output import DataOption, JsonOption, as_json, as_table
from pbx.cli.session import signed_in


def registrations(
    watch: WatchOption = False, data: DataOption = None, json: JsonOption = False
) -> None:
    """Show which phones are registered, from where, and how they logged in.

    Example: pbx registrations --watch
    """
    with signed_in(data) as client:

        def once() -> None:
            found = client.get("/v1/registrations", list[RegistrationView])
            as_json(found) if json else _table(found)

        draw(once, watch=watch)


def _table(found: list[RegistrationView]) -> None:
    as_table(
        ("PHONE", "SOURCE", "TLS", "LOG-IN", "SINCE", "UNTIL", "SAYS IT IS"),
        (
            (r.label, r.source, r.tls, r.login, shown(r.since), shown(r.expires_at), r.user_agent)
            for r in found
        ),
        title=f"{len(found)} registered",
    )
