"""What the application hands to each handler beside its parameters."""

from litestar.di import NamedDependency

from pbx.admin.plane import Caller, Plane
from pbx.telephony import Telephony

GivenPlane = NamedDependency[Plane]
GivenCaller = NamedDependency[Caller]
GivenTelephony = NamedDependency[Telephony]
