"""A day in a clinic of ten people and twelve phones, and the questions that follow it.

Everything is real: a served installation, commands as people type them, phones over TLS and SRTP.
What was typed and shown is compared with docs/a-day-in-the-clinic.md line by line;
WRITE_TRANSCRIPT=1 writes that file anew.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.cli.output import Exit
from tests.support.clinic_day import PASSWORD, PIN, Day, opened
from tests.support.message_exchange import Caller

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "a-day-in-the-clinic.md"
VERIFY = ROOT / "deploy" / "audit" / "verify_export.py"

PEOPLE = {
    "maria": ("", ""),
    "carla": ("compliance-officer", ""),
    "frank": ("physician", "1042"),
    "ben": ("physician", "1043"),
    "nina": ("clinical-staff", "1044"),
    "rita": ("front-desk", "1001"),
    "bill": ("billing", "1045"),
}
PHONES = {
    "front desk": ("lobby", "1001"),
    "waiting room": ("lobby", ""),
    "pharmacy": ("lobby", ""),
    "office 42": ("private", "1042"),
    "office 43": ("private", "1043"),
    "office 45": ("private", "1045"),
    "office 46": ("private", ""),
    "exam 1": ("exam-room", ""),
    "exam 2": ("exam-room", ""),
    "exam 3": ("exam-room", ""),
    "laboratory": ("exam-room", ""),
    "nurse station": ("nurse-station", ""),
}


@pytest.fixture
def day() -> Iterator[Day]:
    folder = Path(tempfile.mkdtemp(prefix="pbx-"))
    folder.chmod(0o755)
    with opened(folder) as made:
        yield made
    shutil.rmtree(folder)


async def test_a_day_in_the_clinic_and_every_question_about_it(day: Day) -> None:
    await the_evening_before(day)
    await newcomers(day)
    await hand_over(day)
    await lost_pin(day)
    await a_message(day)
    await shared_phone(day)
    await curious(day)
    await emergency(day)
    await complaint(day)
    await breach(day)
    await evidence(day)

    if "WRITE_TRANSCRIPT" in os.environ:
        KEPT.write_text(day.transcript.text)
    difference = day.transcript.difference(KEPT)
    assert not difference, difference


async def the_evening_before(day: Day) -> None:
    await day.transcript.clock("Mon 17:00")
    for login in PEOPLE:
        await day.hires(login, f"{login.capitalize()} Sample")
    await day.does("ada", 'role grant maria practice-manager --reason "manages the practice"')
    for login, (role, number) in PEOPLE.items():
        if role:
            await day.grants(login, role, "works here")
        if number:
            await day.does("ada", f"extension assign {number} {login} --yes")
    await day.does("frank", "pin --extension 1042", PIN)
    await day.does("nina", "pin --extension 1044", PIN)
    for label, (place, number) in PHONES.items():
        await day.installs(label, place, number)
    await day.does("ada", 'device share "nurse station"')
    await day.leaves_message("front desk", "1042")
    await day.message_came("frank", "MESSAGE-FOR-FRANK")
    await day.settled("call.ended")
    day.transcript.says(BEGINNING)
    await day.shows("ada", "person list")
    await day.shows("ada", "extension list")
    await day.shows("ada", "device list")


BEGINNING = """
# A day in the clinic

Who heard a message? Who could have? What did this person do, and how far may a theft have gone?
These are the questions that a compliance officer is asked. This is one day in a small clinic with
all of its commands and answers: what was done, and then what an investigation finds of it.

Nobody here exists. The day was played on a running system, by telephones and by commands in
terminals, and a test plays it again and compares this page line by line. What is different each
time has a plain name here: identifiers such as `MESSAGE-1`, hours of the story instead of the
clock's, and `…` for digests and counts. `[…]` says that lines of an answer are left out. The name
before the `$` is who typed. Where `Touch the security key` stands, the person proved with their own
second factor that it was them; passwords, codes and PINs are typed unseen and stand nowhere.

Ada administers the exchange. Maria manages the practice; she is the second person without whom
Ada gives nobody a role. Carla is the compliance officer. Frank and Ben are physicians, Nina is a
nurse, Rita is at the front desk and Bill sends the bills. Two more come in the morning, which makes
ten people; they have twelve phones. Frank has extension 1042 and one message in his mailbox.
"""


async def newcomers(day: Day) -> None:
    await day.transcript.clock("08:00")
    day.transcript.says("""
## 08:00 Two people join

Anna starts today. Ada asks for an enrolment code, Maria approves, and each of them has one half
of it: neither can enrol in Anna's name. Anna joins the halves, and sets her own password and second
factor, which nobody else ever learns.
""")
    await joins(day, "anna", 'person add anna "Anna Sample"', "sees patients")
    day.transcript.says("""
Jo stands in for a month. A locum without an end date is refused; with one, access ends by itself.
""")
    await day.shows("ada", 'person add jo "Jo Locum" --kind locum', code=Exit.REFUSED)
    await joins(
        day, "jo", 'person add jo "Jo Locum" --kind locum --until +30d', "stands in for a month"
    )
    await day.shows("ada", "person show jo")


async def joins(day: Day, login: str, adding: str, reason: str) -> None:
    await day.shows("ada", adding)
    await day.names(login)
    await day.shows_halves(login)
    await day.shows("ada", f'role grant {login} physician --reason "{reason}"')
    await day.shows_approval()


async def hand_over(day: Day) -> None:
    await day.transcript.clock("08:30")
    day.transcript.says("""
## 08:30 Extension 1042 goes from Frank to Anna

Anna gets the number, the phone that rings for it and an empty mailbox. Frank's mailbox closes with
his message in it, so neither has what was left for him under this number: not Anna, because it was
not left for her, and not Frank, because the number is no longer his.
""")
    await day.shows("ada", "extension assign 1042 anna --yes")
    await day.shows("ada", "extension list")
    await day.shows("anna", "voicemail list")
    await day.shows("frank", "voicemail list")
    day.transcript.says("""
That nothing comes through is not a promise but a trial: every path, from the phone's lamp to each
request of the programming interface, is tried with two people who do not exist. The answer has a
line for each path; here are those about this number itself.
""")
    screen = await day.shows(
        "ada", "extension prove 1042", only="this extension: (holder|key|lamp)"
    )
    assert all(line.startswith("isolated ") for line in screen.splitlines())
    await day.does("anna", "pin --extension 1042", PIN)


async def lost_pin(day: Day) -> None:
    await day.transcript.clock("09:00")
    day.transcript.says("""
## 09:00 Ben has forgotten his PIN and his password

Nobody can look them up, and nobody can set them for him. He enrols anew, as on his first day, with
a code of which two people have one half each, and sets a new PIN.
""")
    await day.shows_halves("ben")
    await day.shows("ben", "pin --extension 1043", PIN)


async def a_message(day: Day) -> None:
    await day.transcript.clock("09:30")
    day.transcript.says("""
## 09:30 A message for Anna

Somebody leaves Anna a message. She hears it on the phone of her office, with her PIN.
""")
    await day.leaves_message("front desk", "1042")
    await day.message_came("anna", "MESSAGE-1")
    await day.shows("anna", "voicemail list")
    await day.hears_message("office 42")
    await day.settled("call.ended", 3)


async def shared_phone(day: Day) -> None:
    await day.transcript.clock("10:00")
    day.transcript.says("""
## 10:00 Nina works from the nurses' station

The phone there belongs to nobody. Nina signs in on it by `*71`, her number and her PIN; from then
on it is hers, until she signs out with `*74` or forgets to, which the idle time of its place does.
""")
    async with day.calling("nurse station", "*711044") as caller:
        await day.types_pin(caller)
        await ended(caller)
    await day.settled("phone.signed_in")
    await day.shows("ada", 'device show "nurse station"', only="^PHONE|^nurse|^signed in")
    async with day.calling("nurse station", "*74") as caller:
        await ended(caller)
    await day.settled("phone.signed_out")
    day.transcript.says("""
**Who was at that phone, and when?**
""")
    await day.shows("carla", 'audit search --device "nurse station" --action phone --from 1d')


async def ended(caller: Caller) -> None:
    async with asyncio.timeout(60):
        await caller.call.ended.wait()


async def curious(day: Day) -> None:
    message = day.identifier("MESSAGE-1")
    await day.transcript.clock("10:30")
    day.transcript.says("""
## 10:30 Two who are curious

Frank and Jo try to hear it. Both are physicians and signed in; neither is Anna.
""")
    for who in ("frank", "jo"):
        listen = f'voicemail listen {message} --purpose "curious"'
        await day.pipes(who, listen, "aplay", Exit.REFUSED)


async def emergency(day: Day) -> None:
    message = day.identifier("MESSAGE-1")
    await day.transcript.clock("11:00")
    day.transcript.says("""
## 11:00 An emergency

Anna is in theatre, and a laboratory's message for her cannot wait. Ben asks to break the glass;
alone he gets nothing. Maria reads what he asks for in the key holder's own words and approves with
her own second factor: this one mailbox opens to Ben for half an hour.
""")
    await day.shows(
        "ben", 'breakglass request anna --reason "laboratory result of a patient in theatre" --yes'
    )
    await day.pipes("ben", f'voicemail listen {message} --purpose "result"', "aplay", Exit.REFUSED)
    [waiting] = await day.asks("maria", "breakglass list")
    await day.shows("maria", f"breakglass approve {waiting['proposal']} --yes")
    await day.pipes("ben", f'voicemail listen {message} --purpose "result"', "aplay")
    await day.shows("ben", "breakglass end anna")
    day.transcript.says("""
Anna is told when she next signs in, and somebody who had no part in it has to sign it off.
""")
    await day.shows("anna", "login anna", PASSWORD, only="Signed in|emergency")
    [item] = [
        one["id"]
        for one in await day.asks("carla", "audit review list")
        if one["kind"] == "break-glass"
    ]
    await day.shows("carla", f"audit review show {item}", only="break-glass|ITEM|WHEN")
    await day.shows(
        "carla", f'audit review sign-off {item} --note "The laboratory had called; Anna knows."'
    )


async def complaint(day: Day) -> None:
    message = day.identifier("MESSAGE-1")
    await day.transcript.clock("14:00")
    day.transcript.says("""
## 14:00 A complaint: "somebody heard my message"

Carla investigates. **Which message was it?** One was left for extension 1042 today.
""")
    await day.shows("carla", "audit search --mailbox 1042 --action message.deposited --from 1d")
    day.transcript.says("""
**Who heard it?** The exchange's ledger and the journal of the key holder, a separate process
without whose key no message opens, are compared: `opened` in the journal says that a key was given
out, and a line that only one of the two has would be an alarm.
""")
    await day.shows("carla", f"audit who-heard {message}")
    day.transcript.says("""
**Who could have heard it**, whether they did or not?
""")
    await day.shows("carla", f"audit who-could {message}")
    day.transcript.says("""
`command` in the column WHERE means a terminal, and `break-glass` that two people opened the
mailbox in an emergency; its approver stands in the column WITH.

**Who tried?** Refusals are rows of the ledger like everything else.
""")
    await day.shows("carla", "audit search --action message.heard --outcome refused --from 1d")
    day.transcript.says("""
**What did Frank do since yesterday?** The number was his until this morning.
""")
    await day.shows("carla", "audit what-did frank --from 1d")
    day.transcript.says("""
**Was it the patient's number that called?** Numbers are sealed in the ledger. A number is looked up
with a reason, which the reviewer sees.
""")
    await day.shows(
        "carla",
        'audit search --number 1001 --reason "complaint of today" --action message --from 1d',
    )
    day.transcript.says("""
The answer to the complaint: Anna heard the message on the phone of her office, and Ben in an
emergency that Maria approved and Carla signed off. Nobody else did and nobody else could. Frank and
Jo tried and were refused.
""")


async def breach(day: Day) -> None:
    await day.transcript.clock("16:00")
    day.transcript.says("""
## 16:00 A laptop and a phone are stolen

Jo's laptop is gone, with a terminal that was signed in, and so is the phone of office 42. First
everything that they could do ends.
""")
    await day.shows("ada", "person suspend jo --yes")
    await day.shows("ada", 'device rotate-secret "office 42" --yes', only="^Type this")
    await day.settled("registration.ended")
    day.transcript.says("""
**How far may it have gone?** First the laptop: what Jo's account could open, what was opened with
it, from where, what else was done, and what was out of reach.
""")
    await day.shows("carla", "audit scope --person jo --from 1d")
    day.transcript.says("""
Then the phone. Messages open on it with a PIN alone, so it had in reach what its holders had.
""")
    await day.shows("carla", 'audit scope --device "office 42" --from 1d')


async def evidence(day: Day) -> None:
    await day.transcript.clock("17:00")
    day.transcript.says("""
## 17:00 Evidence for somebody who trusts nobody here

Carla exports the ledger with the key holder's signature. Whoever gets the file verifies it with the
public key and a short script, without this system.
""")
    file, pin = day.run.sessions / "ledger.jsonl", day.run.layout.keyholder_pin
    await day.shows("carla", f"audit export --signed {file} --from 1d")
    command = [sys.executable, "-I", str(VERIFY), str(file), str(pin)]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True
    )
    verify = "python3 verify_export.py ledger.jsonl keyholder.pin"
    day.transcript.shows("stranger", verify, done.stdout)
    day.transcript.says("""
**And who investigated?** Questions to the ledger stand in the ledger too.
""")
    await day.shows("maria", "audit search --person carla --action audit.traced --from 1d")
