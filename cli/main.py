"""The command ``scaleflow``. Modules with the networks are imported by the verbs that need them, when they run."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
import warnings
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scaleflow.cli import (
    baseline,
    compare,
    conformance,
    decode,
    demo,
    diffusion,
    encode,
    export,
    info,
    models,
    nets,
    pack,
    plot,
    rd,
    report,
    roi_make,
    task_rd,
    train,
    verify,
    votes,
)
from scaleflow.cli.console import console, start_logging
from scaleflow.cli.interruption import EXIT_INTERRUPTED, EXIT_TERMINATED
from scaleflow.cli.verbs import Verbs
from scaleflow.errors import ScaleFlowError, UsageError
from scaleflow.limits import is_out_of_memory
from scaleflow.optional_packages import what_to_install

EXIT_BROKEN_PIPE = 141


class _CommandGroup(TyperGroup):
    """Turns errors into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ScaleFlowError as error:
            code = EXIT_BROKEN_PIPE if _is_broken_pipe(error) else error.exit_code
            if ctx.params.get("debug"):
                traceback.print_exc()
            elif code != EXIT_BROKEN_PIPE:
                console.print(f"scaleflow: {error}", markup=False)
        except ModuleNotFoundError as error:
            advice = what_to_install(error, f"scaleflow {ctx.invoked_subcommand}")
            if advice is None:
                raise
            code = UsageError.exit_code
            if ctx.params.get("debug"):
                traceback.print_exc()
            else:
                console.print(f"scaleflow: {advice}", markup=False)
        except BrokenPipeError:
            code = EXIT_BROKEN_PIPE
        except OSError as error:
            code = ScaleFlowError.exit_code
            console.print(f"scaleflow: {error}", markup=False)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            code = ScaleFlowError.exit_code
            console.print("scaleflow: not enough memory: try smaller pictures or fewer --workers", markup=False)
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
            console.print("scaleflow: interrupted; nothing was kept", markup=False)
        if code == EXIT_BROKEN_PIPE:
            # Or the interpreter tries once more to write what is left, and complains.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
        ctx.exit(code)
        return None


def _is_broken_pipe(error: BaseException) -> bool:
    return isinstance(error.__cause__, BrokenPipeError)


app = Verbs(
    "Encode and decode video files with a neural scale-space-flow codec.",
    cls=_CommandGroup,
    name="scaleflow",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("encode")(encode.encode)
app.command("decode")(decode.decode)
app.command("info")(info.info)
app.command("verify")(verify.verify)
app.command("conformance")(conformance.conformance)
app.command("compare")(compare.compare)
app.command("models")(models.models)
app.command("pack")(pack.pack)
app.command("train")(train.train)
app.command("export")(export.export)
app.command("plot")(plot.plot)
app.command("rd")(rd.rd)
app.command("task-rd")(task_rd.task_rd)
app.command("report")(report.report)
app.command("votes")(votes.votes)
app.command("demo")(demo.demo)
app.add_typer(baseline.app, name="baseline")
app.add_typer(nets.app, name="nets")
app.add_typer(diffusion.app, name="diffusion")

roi_app = Verbs("Masks of regions of interest.")
roi_app.command("make")(roi_make.make)
app.add_typer(roi_app, name="roi")


def _print_version(wanted: bool) -> None:
    if wanted:
        from scaleflow.version import scaleflow_version

        typer.echo(f"scaleflow {scaleflow_version()}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Say more on standard error; twice for everything.")
    ] = 0,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the verb."""
    start_logging(2 if debug else verbose)
    if not debug:
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch|compressai|timm")


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(EXIT_TERMINATED)  # So that what was half written is removed on the way out.


def _secure_standard_streams() -> None:
    """Closed ones lead nowhere, or a file that is opened would be in their place, and get what libraries print.

    Characters that the terminal does not know, as in names of files that are no text, are printed as escapes.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest number that is free.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Entry point."""
    _secure_standard_streams()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        console.print(f"scaleflow: internal error, {type(error).__name__}: {error}; --debug shows where", markup=False)
        sys.exit(ScaleFlowError.exit_code)
