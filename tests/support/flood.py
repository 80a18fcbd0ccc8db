"""Strangers on RTP ports: `python -m tests.support.flood FIRST LAST RATE [REPLAYED-HEX]`.

Wrong keys, a replayed packet, one octet, 9,000 octets, STUN and DTLS, to every port in turn, from a
source that is not the phone's, until ended.
"""

import contextlib
import socket
import sys
import time

BURST = 50


def main() -> None:
    """Print `ready`, then send until killed."""
    first, last, rate = map(int, sys.argv[1:4])
    replayed = bytes.fromhex(sys.argv[4]) if len(sys.argv) > 4 else bytes([0x80]) * 182
    wrong = bytes([0x80, 0]) + bytes(180)
    stun, dtls = b"\0\1\0\0" + bytes(16), b"\x16\xfe\xfd" + bytes(50)
    kinds = (wrong, replayed, b"\0", b"\x80" * 9000, stun, dtls)
    ports = last - first + 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
        source.setblocking(False)
        print("ready", flush=True)
        start, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - start) * rate)
            for number in range(sent, min(due, sent + BURST)):
                port = first + number // 6 % ports
                with contextlib.suppress(OSError):  # a full buffer, or an earlier one's ICMP answer
                    source.sendto(kinds[number % 6], ("127.0.0.1", port))
                sent += 1
            time.sleep(0.0005)


if __name__ == "__main__":
    main()
