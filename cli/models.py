"""``scaleflow models``."""

from __future__ import annotations

import typer

from cli import options
from cli.console import print_json

_DESCRIPTIONS = {
    "default": "shipped with ScaleFlow: 4:2:0, 8 and 10 bit, every quality",
    "ssf2020": "CompressAI's scale-space flow, one rate each, RGB of 8 bits; downloaded by CompressAI when first used",
}


def models(json: options.Json = False) -> None:
    """List the models that encode --model knows."""
    from codec.models.registry import model_names

    for name in model_names():
        description = _DESCRIPTIONS.get(name.split("-")[0], "")
        if json:
            print_json({"name": name, "description": description})
        else:
            typer.echo(f"{name:12} {description}")
    if not json:
        typer.echo("ssf2020:PATH a checkpoint of that architecture")
