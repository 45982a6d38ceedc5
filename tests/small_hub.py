"""A hub of one process: what Hugging Face's client asks of it, for folders here; and the ways in which it refuses."""

import hashlib
import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFUSALS = {"gated": (403, "GatedRepo"), "down": (500, "")}
"""By the first half of a name: the status, and the code that the hub sends with it. Any unknown name is a 401."""


class Hub:
    """Serves folders by name at `address` until it is closed; `fetched` are the paths of files that were asked for."""

    def __init__(self, models: Mapping[str, Path]) -> None:
        self.fetched: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                self.answer(body=True)

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def send(self, status: int, data: bytes = b"", body: bool = True, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if body:
                    self.wfile.write(data)

            def answer(self, body: bool) -> None:
                path = self.path.split("?")[0]
                match = re.fullmatch(r"(?:/api/models)?/(\w[^/]*/[^/]+)/(revision|tree|resolve)/[^/]+(?:/(.+))?", path)
                name, kind, file = match.groups() if match else (path, "", "")
                if name not in models:
                    status, code = REFUSALS.get(name.split("/")[0], (401, "RepoNotFound"))
                    self.send(status, body=body, X_Error_Code=code)
                elif kind == "revision":
                    self.send(200, json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode())
                elif kind == "tree":
                    paths = [path for path in models[name].rglob("*") if path.is_file()]
                    entries = [
                        {"type": "file", "path": str(path.relative_to(models[name])), "size": path.stat().st_size,
                         "oid": hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()}
                        for path in paths
                    ]  # fmt: skip
                    self.send(200, json.dumps(entries).encode(), Content_Type="application/json")
                else:
                    data = (models[name] / file).read_bytes()
                    outer.fetched.append(file)
                    oid = hashlib.sha1(data, usedforsecurity=False).hexdigest()
                    self.send(200, data, body, ETag=f'"{oid}"', X_Repo_Commit=COMMIT)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more; the port is closed."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
