"""The program: its commands, and the exit status where one of them cannot go on."""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from screening.cli.add import add
from screening.cli.alloy import alloy
from screening.cli.choose import choose
from screening.cli.classify import classify
from screening.cli.clean import clean
from screening.cli.control import cancel, pause, promote, resume, retry
from screening.cli.doctor import doctor
from screening.cli.export import export
from screening.cli.fit import fit
from screening.cli.improve import improve
from screening.cli.init_cluster import init
from screening.cli.launch import launch
from screening.cli.plot import plot
from screening.cli.plugins import names_at, plugins
from screening.cli.predict import predict
from screening.cli.rank import rank
from screening.cli.recommend import recommend
from screening.cli.replay import replay
from screening.cli.report import report
from screening.cli.serve import serve
from screening.cli.show import show
from screening.cli.status import status
from screening.cli.submit import submit
from screening.cli.work import work
from screening.messages.errors import ScreenError

COMMANDS = (
    *(
        submit,
        fit,
        improve,
        add,
        work,
        launch,
        init,
        status,
        rank,
        show,
        choose,
        replay,
        predict,
        classify,
    ),
    *(alloy, recommend, export, plot, report, serve, promote, retry, pause, resume, cancel, clean),
    *(doctor, plugins),
)
"""In the order in which the help lists them."""
_TABLE = re.compile(r"<([\w.]+:\w+)>")


class Command(TyperCommand):
    """A command whose help names what there is to choose from.

    ``<module:TABLE>`` in the help of an option stands for the names in that table, which is
    imported only when this command's help is shown.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help page."""
        for parameter in self.params:
            text = getattr(parameter, "help", None)
            if text:
                named = _TABLE.sub(lambda match: ", ".join(names_at(match[1])), text)
                parameter.help = named  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # Plain help: rich takes longer to import than everything else that help needs.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="High-throughput virtual screening: campaigns that choose what to compute next.",
)
for command in COMMANDS:
    app.command(cls=Command)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"matscreen {version('matscreen')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error the user can mend is one sentence and exit status 2."""
    import signal
    import sys

    from screening.messages.terminal import end_output, give_up_output, prepare_streams

    # A closed terminal or a queue system's signal must leave as cleanly as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    prepare_streams()
    status = _run()
    try:
        end_output()
    except BrokenPipeError:  # whoever read it has seen enough
        status = status or 1
    except OSError as error:
        status = _complain(f"the output cannot be written: {error.strerror}")
    give_up_output()
    sys.exit(status)


@functools.cache
def _command() -> Any:
    """Return the program that the functions' signatures describe, which takes 0.1 s to read."""
    return typer.main.get_command(app)


def _run() -> int | str | None:
    """Run the command; return its exit status, once what is wrong was said."""
    from screening.messages.terminal import FULL, give_up_output

    try:
        _command()()
    except SystemExit as ended:
        return ended.code
    except ScreenError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        _complain("interrupted", "")
        return 130
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.errno not in FULL:
            raise
        give_up_output()
        return _complain(f"{error.filename or 'the output'} cannot be written: {error.strerror}")
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("pymongo", "bson"):
            raise
        # Its text names hosts and topologies over several lines; never the password.
        details = getattr(error, "details", None) or {}
        reason = details.get("codeName") or type(error).__name__
        return _complain(
            f"the database stopped answering or refused ({reason}); nothing stored is lost; "
            "check it with: matscreen doctor"
        )
    return 0


def _complain(message: str, start: str = "error: ") -> int:
    """Say what is wrong; return the exit status of an error the user can mend."""
    import contextlib
    import sys

    # Where nothing can be said, the exit status has to do.
    with contextlib.suppress(OSError):
        print(f"{start}{message}", file=sys.stderr)
    return 2
