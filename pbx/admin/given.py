"""What the application hands to each handler beside its parameters."""

from litestar.di import NamedDependency

from pbx.admin.plane import Caller, Plane

GivenPlane = NamedDependency[Plane]
GivenCaller = NamedDependency[Caller]
