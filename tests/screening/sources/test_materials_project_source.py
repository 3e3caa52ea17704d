"""The Materials Project's client, its signature and its answers; the service is played here."""

from __future__ import annotations

import inspect
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import pytest

from screening.messages.errors import ScreenError
from screening.sources import SourceError, open_source
from screening.sources.materials_project import SummaryQuery

pytest.importorskip("mp_api", reason="pip install 'matscreen[mp]'")

SECRET = "k" * 32
EXAMPLE = (
    "mp:elements=Na,Cl&num_elements=2,2&energy_above_hull=0,0.05&theoretical=false&is_stable=true"
)


def test_query():
    assert open_source(EXAMPLE).arguments() == {
        "elements": ["Na", "Cl"],
        "num_elements": (2, 2),
        "energy_above_hull": (0.0, 0.05),
        "theoretical": False,
        "is_stable": True,
        "fields": ["material_id", "structure", "energy_above_hull", "band_gap", "theoretical"],
        "all_fields": False,
    }


def test_query_in_the_types_of_the_client():
    from emmet.core.symmetry import CrystalSystem
    from pymatgen.analysis.magnetism import Ordering

    found = open_source(
        "mp:crystal_system=Cubic&magnetic_ordering=FM&spacegroup_number=225, 227&num_sites=4"
    ).arguments()
    assert found["crystal_system"] is CrystalSystem.cubic
    assert found["magnetic_ordering"] is Ordering.FM
    assert found["spacegroup_number"] == [225, 227]
    assert found["num_sites"] == (4, 4)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "give what to search for"),
        ("include_gnome=false", "give what to search for"),
        ("elements", "not of the form field=value"),
        ("elements=", "not of the form field=value"),
        ("elements=Na&elements=Cl", "'elements' is given twice"),
        ("element=Na", "field 'element' is unknown; did you mean 'elements'"),
        ("_page=2", "field '_page' is unknown"),
        ("band_gap=wide", "field 'band_gap.0' must be a valid number"),
        ("band_gap=2,1", "first bound is above the second"),
        ("band_gap=0,inf", "must be a finite number"),
        ("band_gap=1,2,3", "field 'band_gap'"),
        ("num_elements=1.5", "field 'num_elements.0' must be a valid integer"),
        ("is_stable=perhaps", "field 'is_stable' must be a valid boolean"),
    ],
)
def test_unusable_queries(query, reason):
    with pytest.raises(ScreenError, match=reason):
        open_source(f"mp:{query}")


def test_values_the_client_does_not_know():
    with pytest.raises(SourceError, match=r"'crystal_system' must be one of: .*Cubic"):
        open_source("mp:crystal_system=cubical").arguments()


def test_fields_are_those_of_the_client():
    from mp_api.client.routes.materials.summary import SummaryRester

    machinery = {"self", "num_chunks", "chunk_size", "all_fields", "fields", "kwargs"}
    theirs = {
        name: str(parameter.annotation)
        for name, parameter in inspect.signature(SummaryRester.search).parameters.items()
        if name not in machinery and not name.startswith("_")
    }
    assert set(SummaryQuery.model_fields) == set(theirs)
    for name, field in SummaryQuery.model_fields.items():
        ours = str(next(each for each in get_args(field.annotation) if each is not type(None)))
        for mark, kind in (
            ("tuple[float", "tuple[float, float]"),
            ("tuple[int", "tuple[int, int]"),
            ("list[str]", "list[str]"),
            ("list[int]", "list[int]"),
            ("bool", "bool"),
        ):
            if mark in theirs[name]:
                assert kind in ours, name


# ---------------------------------------------------------------- the client and a stand-in


class Service:
    """What the client needs of the service, with the answer it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.entries: list[Any] = []
        self.asked: list[dict[str, list[str]]] = []
        self.keys: list[str | None] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                heartbeat = {"db_version": "2026.1", "version": "0.87.3"}
                status, body = 200, heartbeat | {"access_controlled_batch_ids": []}
                if address.path.startswith("/materials/summary"):
                    service.asked.append(parse_qs(address.query))
                    service.keys.append(self.headers.get("x-api-key"))
                    status = service.status
                    body = {"data": service.entries, "meta": {"total_doc": len(service.entries)}}
                    if status != 200:
                        body = {"detail": f"no access with {SECRET}"}
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def service(monkeypatch) -> Iterator[Service]:
    from mp_api.client.core.settings import MAPI_CLIENT_SETTINGS

    service = Service()
    monkeypatch.setenv("MP_API_KEY", SECRET)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(MAPI_CLIENT_SETTINGS, "ENDPOINT", service.url)
    yield service
    service.server.shutdown()
    service.server.server_close()


def test_records(service, rocksalt, capfd, recwarn):
    salt = {
        "material_id": "mp-22862",
        "structure": rocksalt.as_dict(),
        "energy_above_hull": 0.0,
        "band_gap": 5.0,
        "theoretical": False,
    }
    service.entries = [
        salt,
        {"material_id": "mp-1", "structure": {"lattice": 1}},
        {"material_id": "mp-2", "structure": None, "band_gap": 1.0},
        {"structure": rocksalt.as_dict()},
    ]
    found = list(open_source(EXAMPLE).records())
    [asked] = service.asked
    assert service.keys == [SECRET]
    assert asked["elements"] == ["Na,Cl"]
    assert (asked["nelements_min"], asked["nelements_max"]) == (["2"], ["2"])
    assert asked["energy_above_hull_max"] == ["0.05"]
    assert (asked["theoretical"], asked["is_stable"]) == (["False"], ["True"])
    assert asked["_fields"] == ["material_id,structure,energy_above_hull,band_gap,theoretical"]
    assert found[0].material_id == "mp-22862"
    assert found[0].content.matches(rocksalt)
    assert found[0].location == "mp:mp-22862"
    assert found[0].properties == {
        "energy_above_hull_ev_per_atom": 0.0,
        "band_gap_ev": 5.0,
        "theoretical": False,
    }
    assert [r.error is None for r in found] == [True, False, False, False]
    assert "cannot be read" in found[1].error
    assert found[2].properties == {"band_gap_ev": 1.0}
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_refusals_do_not_show_the_key(service, status):
    service.status = status
    with pytest.raises(
        SourceError, match=r"cannot be asked \(MPRestError.*check the query"
    ) as said:
        list(open_source(EXAMPLE).records())
    assert SECRET not in str(said.value)


def test_key_of_another_form(service, monkeypatch):
    monkeypatch.setenv("MP_API_KEY", "short-secret")
    with pytest.raises(SourceError, match="32 characters") as said:
        list(open_source(EXAMPLE).records())
    assert "short-secret" not in str(said.value)


def test_without_a_key(monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(SourceError, match="environment variable MP_API_KEY is not set"):
        list(open_source(EXAMPLE).records())


def test_service_out_of_reach(service):
    service.server.shutdown()
    service.server.server_close()
    with pytest.raises(SourceError, match=r"cannot be asked \(.*Connection.*and the network"):
        list(open_source(EXAMPLE).records())


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mp_api", None)
    with pytest.raises(SourceError, match=r"pip install 'matscreen\[mp\]'"):
        open_source(EXAMPLE)
