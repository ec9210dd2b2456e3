"""An app served to a browser on this machine, by a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    """Answers, and writes no line for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of *app*'s home page, on a free port of the loopback, while it runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    # It looks that often whether it is to end, in seconds.
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
