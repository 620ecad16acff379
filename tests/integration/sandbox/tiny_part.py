"""A part of the starter's tests, as small as one can be: answers 200 on a loopback port.

``tiny_part.py PORT [stubborn] [family]``: stubborn ignores SIGTERM, family has a child of its own session.
"""

import http.server
import os
import signal
import sys


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def main() -> None:
    port, traits = int(sys.argv[1]), sys.argv[2:]
    if "stubborn" in traits:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "family" in traits and os.fork() == 0:
        os.setsid()
        signal.pause()
    sys.stdout.write(f"listening on {port}\n")
    sys.stdout.flush()
    http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()


main()
