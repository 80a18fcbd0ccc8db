"""Who may: unknown phones, foreign nonces, and proofs said twice are refused."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import partial

from certs.contexts import client_context
from pbx.doctor.finding import Broken, CannotTell, Finding, judged
from pbx.doctor.probe import Probe, authorize, challenge_of
from pbx.doctor.target import Canary, Target
from pbx.sip.digest import Algorithm

NO_CANARY = "needs a phone to try with: sign in first (pbx login), or --device and --secret-file"


def findings(target: Target) -> Iterator[Finding]:
    yield judged("an unknown phone is refused", partial(unknown_is_refused, target))
    yield judged("one strong challenge is offered", partial(challenge_is_strong, target))
    yield judged("a nonce counts on its own connection alone", partial(nonce_is_bound, target))
    yield judged("a log-in said twice is refused", partial(replay_is_refused, target))


def unknown_is_refused(target: Target) -> str:
    name = f"doctor-{secrets.token_hex(6)}"
    with Probe(target) as probe:
        request = probe.register(name)
        response = probe.ask(request)
        if response.status < 300:
            raise Broken("an unknown phone was let in without being asked for a secret")
        authorize(request, challenge_of(response), name, secrets.token_hex(16))
        response = probe.ask(request)
    if response.status < 300:
        raise Broken("an unknown phone was let in")
    if response.status not in (401, 403, 407):
        raise CannotTell(f"it was answered {response.status}")
    return f"REGISTER of a name that nobody has: {response.status}"


def challenge_is_strong(target: Target) -> str:
    with Probe(target) as probe:
        response = probe.ask(probe.register(f"doctor-{secrets.token_hex(6)}"))
    offered = response.headers.all("WWW-Authenticate")
    if len(offered) != 1:
        raise Broken(f"{len(offered)} challenges: phones choose badly between two, and need one")
    challenge = challenge_of(response)
    if Algorithm.named(challenge.algorithm) is not Algorithm.SHA_256:
        raise Broken("the algorithm is not SHA-256")
    return "SHA-256 alone"


def nonce_is_bound(target: Target) -> str:
    """A nonce of another connection must be called stale, not looked at."""
    name = f"doctor-{secrets.token_hex(6)}"
    with Probe(target) as here, Probe(target) as there:
        challenge = challenge_of(here.ask(here.register(name)))
        request = there.register(name)
        authorize(request, challenge, name, secrets.token_hex(16))
        response = there.ask(request)
    if response.status < 300:
        raise Broken("it opened another connection")
    if not challenge_of(response).is_stale:
        raise Broken("a nonce of another connection was taken for a current one")
    return "on another connection it is stale"


def replay_is_refused(target: Target) -> str:
    """The same credentials a second time, word for word, in a new transaction."""
    canary = canary_of(target)
    with Probe(target, context=client_context(target.root)) as probe:
        request = probe.register(canary.username)
        authorize(request, challenge_of(probe.ask(request)), canary.username, canary.secret)
        first = probe.ask(request)
        if first.status != 200:
            raise CannotTell(f"the phone could not log in: {first.status}")
        request.headers.set("CSeq", f"{request.cseq.number + 1} REGISTER")
        second = probe.ask(request)
    if second.status < 300:
        raise Broken("a log-in was accepted a second time, word for word")
    return f"the second time it is answered {second.status}"


def canary_of(target: Target) -> Canary:
    if target.canary is None:
        raise CannotTell(NO_CANARY)
    return target.canary
