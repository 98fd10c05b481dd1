"""A small mirror on 127.0.0.1, for tests that download."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Mirror(ThreadingHTTPServer):
    """Serves `files` (name: content), remembers what was asked for, and may be told to misbehave."""

    def __init__(self, files, ranges=True, breaks_after=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.ranges, self.breaks_after = files, ranges, breaks_after
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers["Range"]
        self.server.asked.append((self.path[1:], wanted))
        content = self.server.files.get(self.path[1:])
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if content is None:
            self.send_error(404)
        elif start and start >= len(content):
            self.send_error(416)
        else:
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][: self.server.breaks_after])

    def log_message(self, *args):
        pass


@contextmanager
def serving(files, **behaviour):
    with Mirror(files, **behaviour) as mirror:
        thread = Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield mirror
        mirror.shutdown()
        thread.join()
