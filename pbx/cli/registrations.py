"""`pbx registrations`: the phones that can be reached now."""

from uuid import UUID

from pbx.admin.wire.phones import RegistrationView
from pbx.cli.live import WatchOption, draw
from pbx.cli.moments import shown
from pbx.cli.output import DataOption, JsonOption, as_json, as_table
from pbx.cli.session import signed_in
from pbx.cli.shared_phones import names_of


def registrations(
    watch: WatchOption = False, data: DataOption = None, json: JsonOption = False
) -> None:
    """Show which phones are registered, from where, and how they logged in.

    Example: pbx registrations --watch
    """
    with signed_in(data) as client:

        def once() -> None:
            found = client.get("/v1/registrations", list[RegistrationView])
            if json:
                as_json(found)
                return
            _table(found, names_of(client, [one.signed_in for one in found]))

        draw(once, watch=watch)


def _table(found: list[RegistrationView], names: dict[UUID | None, str]) -> None:
    as_table(
        ("PHONE", "SIGNED IN", "SOURCE", "TLS", "LOG-IN", "SINCE", "UNTIL", "SAYS IT IS"),
        (
            (
                r.label,
                names.get(r.signed_in, ""),
                r.source,
                r.tls,
                r.login,
                shown(r.since),
                shown(r.expires_at),
                r.user_agent,
            )
            for r in found
        ),
        title=f"{len(found)} registered",
    )
