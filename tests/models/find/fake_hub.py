"""A Hub on this machine: serves folders over HTTP, and refuses as the real one does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFUSALS = {"gated": (403, "GatedRepo"), "missing": (404, "RepoNotFound")}


@contextmanager
def hub(folders: dict[str, Path]) -> Iterator[str]:
    """The address of a Hub whose repositories are these folders, by id."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            return

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            parts = unquote(self.path.split("?")[0]).strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                repo, rest = "/".join(parts[2:4]), parts[4:]
            else:
                repo, rest = "/".join(parts[:2]), parts[2:]
            refusal = REFUSALS.get(repo.split("/")[-1])
            if refusal:
                return self.refuse(*refusal)
            folder = folders.get(repo)
            if folder is None:
                return self.send(200, b"", body=body)
            revision = rest[1] if len(rest) > 1 else "main"
            if revision not in ("main", COMMIT):
                return self.refuse(404, "RevisionNotFound")
            if parts[0] == "api":
                files = [{"rfilename": file.name} for file in sorted(folder.iterdir())]
                listed = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0"}
                    for f in sorted(folder.iterdir())
                ]
                found = {"id": repo, "sha": COMMIT, "siblings": files}
                data = json.dumps(listed if rest[:1] == ["tree"] else found).encode()
                return self.send(200, data, body=body)
            file = folder.joinpath(*rest[2:])
            if not file.is_file():
                return self.refuse(404, "EntryNotFound")
            return self.send(200, file.read_bytes(), body=body)

        def refuse(self, status: int, code: str) -> None:
            self.send(status, b"", body=False, headers={"X-Error-Code": code})

        def send(
            self, status: int, data: bytes, *, body: bool, headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            own = {"X-Repo-Commit": COMMIT, "ETag": f'"{hash(data)}"'} | (headers or {})
            for name, value in own.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
