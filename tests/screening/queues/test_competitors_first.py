"""On a cluster, too, competitors are computed before what competes with them."""

from __future__ import annotations

import time

import yaml
from pymatgen.core import Lattice, Structure

from screening.campaigns.campaign import Campaign
from screening.campaigns.competitors import in_turn
from screening.machine.settings import Settings
from screening.queues import driver
from screening.queues.job_records import queue_of
from screening.running.worker import work

QUEUE = {"q_type": "SLURM", "max_jobs": 1, "walltime": "1:00:00", "reserve_s": 60, "cores": 1}


def face_centred(symbol, a):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [symbol], [[0] * 3])


def test_jobs_of_competitors_queue_those_of_the_campaign(
    screen, database, slurm, tmp_path, monkeypatch
):
    for folder in ("known", "ideas"):
        (tmp_path / folder).mkdir()
    face_centred("Cu", 3.6).to(str(tmp_path / "known" / "Cu.cif"))
    face_centred("Au", 4.1).to(str(tmp_path / "known" / "Au.cif"))
    lattice = Lattice.tetragonal(2.8, 3.7)
    l1_0 = Structure(lattice, ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    l1_0.to(str(tmp_path / "ideas" / "CuAu.cif"))
    (tmp_path / "queue.yaml").write_text(yaml.safe_dump(QUEUE))
    submitted = screen(
        *("submit", "--target", "stable-compound", "--engine", "emt", "--name", "new"),
        *("--source", "ideas", "--competitors", "known", "--budget", 1),
    )
    assert submitted.status == 0, submitted.err

    shown = screen("launch", "new", "--queue", "queue.yaml", "--dry-run")
    assert "screening.queues.driver new-competitors" in shown.out
    assert "screening.queues.driver new " in shown.out
    launched = screen("launch", "new", "--queue", "queue.yaml")
    assert launched.status == 0, launched.err
    assert "its competitors come first: campaign 'new-competitors'" in launched.err
    campaign = Campaign.open(database, "new")
    competing = in_turn(campaign)[0]
    assert competing.name == "new-competitors"
    assert not queue_of(campaign).records
    assert "matscreen status new-competitors" in screen("status", "new").err

    def in_this_process(campaign, settings, count, on_poll, **options):
        work(campaign.database, campaign.name, tmp_path / "jobs")

    monkeypatch.setattr(driver, "run_workers", in_this_process)

    def run_the_job_of(campaign):
        (ticket,) = queue_of(campaign).records
        slurm.jobs = {}
        driver.drive(database, Settings(), campaign.name, ticket, time.time())

    run_the_job_of(competing)
    assert in_turn(campaign) == [campaign]
    run_the_job_of(campaign)
    (result,) = campaign.whole_results(database.candidates.find({"campaigns": "new"})).values()
    assert result["stability_verdict"] == "no decomposition found"
    assert campaign.is_exhausted()
    assert slurm.submitted == 2
