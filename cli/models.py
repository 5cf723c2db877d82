"""``scaleflow models``."""

from __future__ import annotations

import typer

from scaleflow.cli import options
from scaleflow.cli.console import print_json


def models(json: options.Json = False) -> None:
    """List the models that encode --model knows, and which weights are on this machine."""
    from scaleflow.codec.models.installed import installed_models

    for model in installed_models():
        place = None if model.path is None else str(model.path)
        if json:
            print_json({"name": model.name, "description": model.description, "path": place, "bytes": model.file_bytes})
        else:
            typer.echo(f"{model.name:12} {model.description}; {_state(place, model.file_bytes)}")
    if not json:
        typer.echo("ssf2020:PATH a checkpoint of that architecture; --weights PATH: of default, by scaleflow export")


def _state(path: str | None, file_bytes: int) -> str:
    return "not on this machine yet" if path is None else f"{file_bytes / 1e6:.1f} MB, {path}"
