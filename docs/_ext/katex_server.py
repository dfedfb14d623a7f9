"""The connection to the process that turns equations into HTML, on Unix.

That of sphinxcontrib.katex connects as soon as the socket's file exists, a moment before the process answers, which
fails on a busy machine. Over TCP, which waits, each equation takes a tenth of a second: every message
is two small packets.
"""

import socket
import time
from pathlib import Path
from subprocess import PIPE, Popen

import sphinxcontrib.katex as katex


def start(server: type[katex.KaTeXServer], rundir: Path, timeout: float) -> tuple[Popen, socket.socket]:
    """Start the process in ``rundir`` and connect to it, within ``timeout`` seconds."""
    path = rundir / "katex.sock"
    process = Popen(server.build_command(socket=path), stdin=PIPE, stdout=PIPE, cwd=rundir)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.01)
        else:
            return process, connection
    raise server.timeout_error(timeout)


def setup(app):
    """Use it for every equation; where there are no such sockets, as on Windows, nothing calls it."""
    katex.KaTeXServer.start_server_process = classmethod(start)
    return {"parallel_read_safe": True}
