"""A peer that does nothing but renew its keys: `python -m tests.support.key_updates PORT COUNT`.

The `ssl` module cannot do that, so OpenSSL is asked itself; prints how many were taken.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import signal
import socket
import sys

NOT_REQUESTED = 0


def library() -> ctypes.CDLL:
    found = ctypes.CDLL(ctypes.util.find_library("ssl"))
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(found, name).restype = ctypes.c_void_p
    found.SSL_CTX_new.argtypes = found.SSL_new.argtypes = [ctypes.c_void_p]
    for name in ("SSL_set_fd", "SSL_key_update"):
        getattr(found, name).argtypes = [ctypes.c_void_p, ctypes.c_int]
    for name in ("SSL_connect", "SSL_do_handshake"):
        getattr(found, name).argtypes = [ctypes.c_void_p]
    return found


def main(port: int, count: int) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    tls = library()
    with socket.create_connection(("127.0.0.1", port)) as plain:
        connection = tls.SSL_new(tls.SSL_CTX_new(tls.TLS_client_method()))
        assert tls.SSL_set_fd(connection, plain.fileno()) == 1
        assert tls.SSL_connect(connection) == 1
        taken = 0
        while taken < count and tls.SSL_key_update(connection, NOT_REQUESTED) == 1:
            if tls.SSL_do_handshake(connection) != 1:
                break
            taken += 1
    print(taken)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
