"""What the admin API is given by the service: places to ask, nothing it constructs itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pbx.admin.models import Fact, Process, Status
from pbx.admin.plane import Plane
from pbx.config import Config
from pbx.paths import Layout
from pbx.restarting import Restart
from pbx.version import VERSION

if TYPE_CHECKING:
    from pbx.telephony import Telephony

Section = Callable[[], dict[str, Fact]]
Alarms = Callable[[], list[str]]


@dataclass(slots=True)
class AdminContext:
    """Handed to `create_app`; each room adds its section of the status and its alarms."""

    layout: Layout
    config: Callable[[], Config]
    mode: str
    uptime: Callable[[], float]
    state: Callable[[], str] = lambda: "ready"
    processes: Callable[[], list[Process]] = list
    sections: dict[str, Section] = field(default_factory=dict)
    alarms: list[Alarms] = field(default_factory=list)
    plane: Plane | None = None
    """People, phones, ledger and key holder; None until the exchange has them."""

    telephony: "Telephony | None" = None
    """Phones and calls; None until the exchange has them."""

    restart: Restart = field(default_factory=lambda: Restart(lambda: None))
    """How this process is made to give way to another one."""

    def status(self) -> Status:
        return Status(
            version=VERSION,
            state=self.state(),
            mode=self.mode,
            uptime_seconds=int(self.uptime()),
            processes=self.processes(),
            sections={name: section() for name, section in self.sections.items()},
            alarms=[alarm for source in self.alarms for alarm in source()],
        )
