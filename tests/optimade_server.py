"""A server of OPTIMADE's protocol on this machine that misbehaves as it is told."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REASON = "pip install 'matscreen[optimade]'"

SALT = {
    "elements": ["Cl", "Na"],
    "nelements": 2,
    "elements_ratios": [0.5, 0.5],
    "chemical_formula_descriptive": "NaCl",
    "chemical_formula_reduced": "ClNa",
    "chemical_formula_anonymous": "AB",
    "dimension_types": [1, 1, 1],
    "nperiodic_dimensions": 3,
    "lattice_vectors": [[0, 2.82, 2.82], [2.82, 0, 2.82], [2.82, 2.82, 0]],
    "cartesian_site_positions": [[0, 0, 0], [2.82, 2.82, 2.82]],
    "nsites": 2,
    "species": [
        {"name": "Na", "chemical_symbols": ["Na"], "concentration": [1.0]},
        {"name": "Cl", "chemical_symbols": ["Cl"], "concentration": [1.0]},
    ],
    "species_at_sites": ["Na", "Cl"],
    "structure_features": [],
    "last_modified": "2023-01-01T00:00:00Z",
    "immutable_id": None,
}


def entry(name: str, **changes: Any) -> dict[str, Any]:
    return {"id": name, "type": "structures", "attributes": SALT | changes}


@dataclass
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection before the body is whole."""


class Script:
    """A server on this machine that gives the answers it was told, by path."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.times: list[float] = []
        self.open = threading.Event()
        self.closed_path: str | None = None
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script.asked.append(self.path)
                script.times.append(time.monotonic())
                path = self.path.partition("?")[0]
                if path == script.closed_path:
                    script.open.wait(300)
                answers = script.answers[path]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                body = answer.body
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(data)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if answer.cut else data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def pages(self, *pages: list[Any]) -> None:
        """Serve pages of entries, each linked to the next."""
        paths = ["/v1/structures", *(f"/page/{number}" for number in range(2, len(pages) + 1))]
        for path, data, following in zip(paths, pages, [*paths[1:], None], strict=True):
            body: dict[str, Any] = {"data": data, "links": {"next": following}, "meta": {}}
            self.answers[path] = [Answer(body)]

    def first(self, *answers: Answer) -> None:
        """Give these before what is served at the first page."""
        self.answers["/v1/structures"] = [*answers, *self.answers.get("/v1/structures", [])]
