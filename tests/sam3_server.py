"""A local server that answers as SAM 3 does, and fails as servers do."""

import base64
import contextlib
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from PIL import Image

CUT, SLOW, DRIP, ENDLESS = "cut", "slow", "drip", "endless"
"""Failures beside numbers, which are statuses: half an answer, one that comes too late, one that
comes in drops for six seconds, and one that goes on until nobody listens."""


class Server:
    """Listens on this machine until it is closed.

    Parameters
    ----------
    answers : callable
        Gives the response to an image, which is told by the red of its first pixel.
    failures : dict of list
        By image, how requests for it fail before one is answered; the last one goes on where it
        is of a tuple.
    hold : int, optional
        Hold the answer to this image back until :meth:`release`.
    """

    def __init__(self, answers, failures=(), hold=None):
        self.requests, self.answered = [], []
        self.left = threading.Event()
        """The client has gone before the end of an answer."""
        self._answers, self._failures = answers, {k: list(v) for k, v in dict(failures).items()}
        self._forever = {k: v[-1] for k, v in dict(failures).items() if isinstance(v, tuple)}
        self._hold, self.held, self._go = hold, threading.Event(), threading.Event()
        self._lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server.answer(self)

            def log_message(self, *arguments):
                pass

        server = self
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def answer(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        data = base64.b64decode(body["image"]["value"])
        with Image.open(io.BytesIO(data)) as image:
            number = image.convert("RGB").getpixel((0, 0))[0]
        with self._lock:
            place = urlsplit(handler.path)
            self.requests.append((number, place.path, parse_qs(place.query), body, data))
            failures = self._failures.get(number, [])
            failure = failures.pop(0) if failures else self._forever.get(number)
        if number == self._hold:
            self.held.set()
            self._go.wait(60)
        if failure == SLOW:
            time.sleep(1)
        status = failure if isinstance(failure, int) else 200
        said = self._answers(number) if status == 200 else {"message": f"failure {status}"}
        text = json.dumps(said).encode()
        with contextlib.suppress(OSError):  # the client may be gone
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            if failure != ENDLESS:
                handler.send_header("Content-Length", str(len(text)))
            if status == 429:
                handler.send_header("Retry-After", "0")
            handler.end_headers()
            if failure in (DRIP, ENDLESS):
                try:
                    self._go_on(handler.wfile, text, failure)
                except OSError:
                    self.left.set()
                return
            handler.wfile.write(text[: len(text) // 2] if failure == CUT else text)
            if failure is None:
                with self._lock:
                    self.answered.append(number)

    def _go_on(self, file, text, failure):
        while failure == ENDLESS:
            file.write(bytes(1 << 20))
        size = -(-len(text) // 30)
        for first in range(0, len(text), size):
            file.write(text[first : first + size])
            time.sleep(0.2)

    def release(self):
        self._hold = None
        self._go.set()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.release()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
