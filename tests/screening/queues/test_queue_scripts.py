"""Queue configurations and the scripts made of them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening.campaigns.names import NAME_PATTERN
from screening.machine import shipped_configs as shipped
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.messages.validation import validated
from screening.queues.config import QueueConfig, load_queue_config
from screening.queues.scheduler import DIALECTS, Scheduler
from screening.queues.script import UnreachableError, job_script, require_credentials

MODULE = ["screening.queues.driver", "toy-1", "abcd"]


def config(**fields) -> QueueConfig:
    return validated(QueueConfig, {"q_type": "SLURM", **fields}, "queue 'mine'")


def script(settings: Settings | None = None, **fields) -> str:
    made = config(**fields)
    return job_script(made, made, "screen-toy-1", "toy-1-abcd", MODULE, settings or Settings())


# ------------------------------------------------------------------------------- configurations


@pytest.mark.parametrize("name", shipped.names("queues"))
def test_shipped_queues_are_valid(name):
    loaded = load_queue_config(name)
    assert loaded.q_type == name.upper()
    made = job_script(loaded, loaded, "screen-toy-1", "toy-1-abcd", MODULE, Settings())
    assert "$$" not in made
    assert "\n#" in made
    subprocess.run(["bash", "-n"], input=made, text=True, check=True)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"walltime": "1 day"}, "walltime': expected H:MM:SS"),
        ({"walltime": "1:00:99"}, "walltime': expected H:MM:SS"),
        ({"walltime": "0:00:00"}, "walltime': expected H:MM:SS"),
        ({"walltime": "0:10:00", "reserve_s": 600}, "reserve_s (600) leaves nothing"),
        ({"cores": 6, "ranks": 4}, "6 cores cannot be shared by 4 ranks"),
        ({"partition": "a b"}, "partition': use letters, digits and _ . , : @ + -"),
        ({"account": "x;rm"}, "letter or digit first, as 'ab123', not 'x;rm'"),
        ({"account": "x\n#SBATCH --wrap=y"}, "account"),
        ({"options": ["qos=high"]}, "options.0': give an option as it stands in a script"),
        ({"options": ["--qos=a\nrm -rf"]}, "options"),
        ({"setup": ["echo $$"]}, "$BASHPID"),
        ({"setup": ["one\ntwo"]}, "setup.0': give each line of shell as an entry"),
        ({"environment": ["SCREEN_MONGODB_URI"]}, "looks like a secret"),
        ({"environment": ["MP_API_KEY"]}, "looks like a secret"),
        ({"environment": ["A=b"]}, "environment.0': give the name alone of an environment"),
        ({"engines": {"emt": {"core": 2}}}, "engines.emt.core"),
        ({"engines": {"emt": {"walltime": "0:30:00"}}}, "engines.emt: reserve_s (3600)"),
        ({"q_type": "SGE", "cores": 4}, "parallel_environment"),
        ({"q_type": "SGE", "engines": {"emt": {"cores": 4}}}, "parallel_environment"),
        ({"q_type": "LSF"}, "q_type"),
        ({"mongodb_uri": "x"}, "mongodb_uri"),
    ],
)
def test_wrong_values_are_refused(fields, complaint):
    with pytest.raises(ScreenError, match=re.escape(complaint)) as refused:
        config(**fields)
    # People are told in words, not in patterns.
    assert not re.search(r"\[A-Z|pattern|\{\d", str(refused.value))


def test_yaml_may_leave_out_the_quotes_of_a_time(tmp_path):
    path = tmp_path / "queue.yaml"
    path.write_text("q_type: SLURM\nwalltime: 36:30:05\n")
    assert load_queue_config(str(path)).walltime == "36:30:05"


def test_engines_that_need_the_same_share_their_jobs():
    made = config(cores=4, engines={"vasp-fast": {"cores": 64, "ranks": 64}, "emt": {"cores": 4}})
    profiles = made.profiles(["sevennet-0", "vasp-fast", "emt"])
    assert list(profiles) == [("sevennet-0", "emt"), ("vasp-fast",)]
    assert profiles["vasp-fast",].ranks == 64
    assert "#SBATCH --ntasks-per-node=64\n#SBATCH --cpus-per-task=1\n" in job_script(
        made, profiles["vasp-fast",], "n", "l", MODULE, Settings()
    )


# -------------------------------------------------------------------------------------- scripts


def test_every_field_reaches_the_scheduler():
    fields = {
        "walltime": "2:00:00",
        "nodes": 2,
        "ranks": 4,
        "cores": 8,
        "gpus": 1,
        "memory_mb": 16000,
        "partition": "short",
        "account": "proj",
        "setup": ["module load python"],
    }
    slurm = script(**fields, options=["--qos=high"])
    for line in (
        "--time=2:00:00",
        "--nodes=2",
        "--ntasks-per-node=4",
        "--cpus-per-task=2",
        "--gpus-per-node=1",
        "--mem=16000M",
        "--partition=short",
        "--account=proj",
        "--qos=high",
    ):
        assert f"\n#SBATCH {line}\n" in slurm
    assert slurm.index("module load python") < slurm.index("exec ")
    pbs = script(q_type="PBS", **fields, options=["-l place=excl"])
    for line in (
        "-l walltime=2:00:00",
        "-l select=2:ncpus=8:mpiprocs=4:ngpus=1:mem=16000mb",
        "-q short",
        "-A proj",
        "-l place=excl",
    ):
        assert f"\n#PBS {line}\n" in pbs
    sge = script(q_type="SGE", parallel_environment="smp", **fields)
    for line in ("h_rt=2:00:00", "gpu=1", "mem_free=2000M"):
        assert f"\n#$ -l {line}\n" in sge
    assert "\n#$ -pe smp 8\n" in sge
    # What is not asked for leaves no line.
    assert not re.search("gpus|mem|partition|account", script())


def test_the_address_is_in_no_script(monkeypatch, tmp_path):
    monkeypatch.setenv("SCREEN_MONGODB_URI", "mongodb://me:secret@host/")
    made = script()
    assert "secret" not in made
    assert "mongodb" not in made.lower()
    monkeypatch.delenv("SCREEN_MONGODB_URI")
    (tmp_path / "uri").write_text("mongodb://me:secret@host/")
    (tmp_path / "uri").chmod(0o600)
    monkeypatch.setenv("SCREEN_MONGODB_URI_FILE", str(tmp_path / "uri"))
    made = script()
    assert f"export SCREEN_MONGODB_URI_FILE={tmp_path / 'uri'}\n" in made
    assert "secret" not in made


def test_jobs_must_find_the_database(monkeypatch):
    slurm, pbs = config(), config(q_type="PBS")
    for queue in (slurm, pbs):
        with pytest.raises(UnreachableError, match="cannot reach the embedded database"):
            require_credentials(queue, Settings(), embedded=False)
        require_credentials(queue, Settings(), embedded=True)
    monkeypatch.setenv("SCREEN_MONGODB_URI", "mongodb://host/")
    require_credentials(slurm, Settings(), embedded=False)
    with pytest.raises(ScreenError, match="PBS does not carry the environment") as complaint:
        require_credentials(pbs, Settings(), embedded=False)
    assert "SCREEN_MONGODB_URI_FILE" in str(complaint.value)


def test_a_variable_to_carry_must_be_set(monkeypatch):
    monkeypatch.delenv("MY_LICENCE_SERVER", raising=False)
    with pytest.raises(ScreenError, match="MY_LICENCE_SERVER, which is not set"):
        script(environment=["MY_LICENCE_SERVER"])
    monkeypatch.setenv("MY_LICENCE_SERVER", "a\n#$ -q all.q")
    with pytest.raises(ScreenError, match="line break"):
        script(environment=["MY_LICENCE_SERVER"])


TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)
NASTY = st.sampled_from(
    [
        "$(touch hacked)",
        "`touch hacked`",
        "';touch hacked;'",
        '"; touch hacked; "',
        "\\",
        "a b",
        "~",
    ]
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(sorted(DIALECTS)), TEXT | NASTY, TEXT | NASTY, TEXT | NASTY)
def test_what_users_type_is_never_run(tmp_path_factory, q_type, folder, carried, word):
    """The script runs one program with the words given, whatever they are, or is refused."""
    here = tmp_path_factory.mktemp("here")
    seen = here / "seen"
    program = here / "python"
    program.write_text(f'#!/bin/sh\nprintf \'%s\\0\' "$CARRIED" "$SCREEN_DIRECTORY" "$@" >{seen}\n')
    program.chmod(0o700)
    content = {"q_type": q_type, "environment": ["CARRIED"], "partition": "p", "account": "a"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(program))
        try:
            patch.setenv("CARRIED", carried)
            made = QueueConfig.model_validate(content)
            machine = Settings(directory=here / folder)
            text = job_script(made, made, "screen-toy", "log", ["module", word], machine)
        except (ScreenError, UnicodeEncodeError, ValueError):
            return
    options, _, _ = text.partition("export SCREEN_JOB_STARTED")
    assert all(line.startswith("#") or not line for line in options.splitlines())
    subprocess.run(["bash"], input=text, text=True, cwd=here, check=True, timeout=600)
    assert sorted(each.name for each in here.iterdir()) == ["python", "seen"]
    words = seen.read_bytes().decode().split("\0")[:-1]
    assert words == [carried, str((here / folder).absolute()), "-m", "module", word]


@given(TEXT | NASTY)
def test_words_for_the_scheduler_are_words(text):
    try:
        made = config(partition=text, account=text)
    except ScreenError:
        return
    line = next(
        line for line in script(partition=made.partition).splitlines() if "partition" in line
    )
    assert line == f"#SBATCH --partition={text}"
    assert re.fullmatch(r"[\w.,:@+-]+", text, re.ASCII)


@given(st.from_regex(NAME_PATTERN, fullmatch=True))
def test_campaign_names_need_no_quotes(name):
    assert shlex.quote(name) == name


# -------------------------------------------------------------------------------- the programs

LISTS = {
    "SLURM": ("12 PD\n13 R\n14 CG\n15 CF\n", {"12": "pending", "13": "running", "15": "running"}),
    "PBS": (
        "\nserver:\n                                                 Req'd  Req'd   Elap\n"
        "Job ID    Username Queue Jobname  SessID NDS TSK Memory Time  S Time\n"
        "--------- -------- ----- -------- ------ --- --- ------ ----- - -----\n"
        "12.server me       batch screen-a  --     1   4   --   24:00 Q  -- \n"
        "13.server me       batch other     1234   1   4   --   24:00 R 01:00\n"
        "14.server me       batch other     1234   1   4   --   24:00 C 01:00\n",
        {"12": "pending", "13": "running"},
    ),
    "SGE": (
        "job-ID  prior   name   user state submit/start at     queue     slots ja-task-ID\n"
        "-----------------------------------------------------------------------------\n"
        "     12 0.50000 screen me   qw    11/22/2026 10:00:00               4\n"
        "     13 0.50000 other  me   r     11/22/2026 10:00:00 all.q@n1      4\n"
        "     14 0.50000 other  me   Eqw   11/22/2026 10:00:00               4\n"
        "     15 0.50000 other  me   dr    11/22/2026 10:00:00 all.q@n1      4\n",
        {"12": "pending", "13": "running", "14": "pending"},
    ),
}


@pytest.mark.parametrize("q_type", sorted(DIALECTS))
def test_jobs_are_read_from_each_scheduler(q_type, slurm):
    text, found = LISTS[q_type]
    (slurm.folder / "list").write_text(text)
    program = DIALECTS[q_type].listing[0]
    slurm.program(
        program, f'#!/bin/sh\necho "$@" >{slurm.folder / "asked"}\ncat {slurm.folder / "list"}\n'
    )
    assert Scheduler(q_type).jobs() == found
    assert (slurm.folder / "asked").read_text().split()[-2] == "-u"


@pytest.mark.parametrize("q_type", sorted(DIALECTS))
def test_each_scheduler_takes_a_script(q_type, slurm):
    from queue_fixtures import ANSWERS, SUBMIT

    program, answer = ANSWERS[q_type]
    slurm.program(program, SUBMIT.format(folder=slurm.folder, answer=answer))
    path = slurm.folder / "job.sh"
    path.write_text("#!/bin/sh\n")
    assert Scheduler(q_type).submit(path) == "1"
    slurm.refuse("sbatch: error: Invalid account\nor partition\n")
    with pytest.raises(ScreenError, match=f"{program} refused: .*Invalid account or partition"):
        Scheduler(q_type).submit(path)


AWAY = [
    (
        "SLURM",
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        "Slurm's controller (slurmctld) does not answer, so `squeue` cannot be used; run this",
    ),
    (
        "SLURM",
        "squeue: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
        "squeue: error: fetch_config: DNS SRV lookup failed\n"
        "squeue: fatal: Could not establish a configuration source",
        "Slurm is installed on this machine, but not set up",
    ),
    ("SLURM", "squeue: error: Munge encode failed: Failed to access", "(munged) does not run"),
    ("PBS", "Connection refused\nqstat: cannot connect to server n1 (errno=111)", "PBS server"),
    ("SGE", "error: commlib error: got select error\nunable to contact qmaster", "(qmaster)"),
]


@pytest.mark.parametrize(("q_type", "complaint", "said"), AWAY)
def test_a_scheduler_that_is_away_is_told_in_words(q_type, complaint, said, slurm):
    program = DIALECTS[q_type].listing[0]
    (slurm.folder / "complaint").write_text(complaint)
    slurm.program(program, f"#!/bin/sh\ncat {slurm.folder / 'complaint'} >&2\nexit 1\n")
    with pytest.raises(ScreenError) as refused:
        Scheduler(q_type).jobs()
    assert said in str(refused.value)
    assert "error" not in str(refused.value)
    assert "ask its administrator" in str(refused.value)


@pytest.mark.skipif(shutil.which("squeue") is None, reason="Slurm is not installed")
def test_a_real_slurm_whose_controller_does_not_run(tmp_path, monkeypatch):
    (tmp_path / "slurm.conf").write_text("")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    with pytest.raises(ScreenError, match="Slurm is installed on this machine, but not set up"):
        Scheduler("SLURM").jobs()


def test_a_missing_scheduler_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScreenError, match="no program 'squeue' here"):
        Scheduler("SLURM").jobs()


def test_a_job_hands_no_limits_of_its_own_on(slurm, monkeypatch):
    slurm.program("sbatch", f"#!/bin/sh\nenv >{slurm.folder / 'env'}\necho Submitted batch job 7\n")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "100")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    assert Scheduler("SLURM").submit(slurm.folder / "job.sh") == "7"
    seen = (slurm.folder / "env").read_text()
    assert "SLURM_CONF=/etc/slurm.conf" in seen
    assert "SLURM_MEM_PER_NODE" not in seen
    assert os.environ["SLURM_MEM_PER_NODE"] == "100"
