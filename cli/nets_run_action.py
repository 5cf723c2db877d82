"""``scaleflow nets run`` of a network for action recognition."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from scaleflow.cli.console import print_json
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.codec.container import SfvHeader
    from scaleflow.codec.models.video_model import VideoModel


def label_action_run(
    source: Path,
    weights: Path,
    out: Path,
    load: Callable[[SfvHeader], VideoModel],
    method: str | None,
    first: int,
    frames: int | None,
    overwrite: bool,
    use_json: bool,
    unused: Mapping[str, object],
) -> None:
    """Find the action of a video.

    Args:
        unused: options of ``scaleflow nets run`` that say nothing of a whole video, by name.

    Raises:
        UsageError: one of them was given, or several settings.
    """
    from scaleflow.efficient_nets.frame_exit.weights_file import read_action_network
    from scaleflow.efficient_nets.labelling.label_action import label_action
    from scaleflow.efficient_nets.labelling.label_folder import ACTION, label_folder, write_run
    from scaleflow.efficient_nets.labelling.pictures import open_pictures
    from scaleflow.evaluation.file_hash import file_hash
    from scaleflow.evaluation.networks.evaluate_action import action_settings

    for name, value in unused.items():
        if value:
            raise UsageError(f"{name}: an action is found in a whole video, without it")
    trained = read_action_network(weights)
    settings = action_settings([method] if method else [], trained)
    given = (method or "").split()[1:]
    if len(settings) > 1 and any(word.startswith(("strictness=", "threshold=")) and "," in word for word in given):
        raise UsageError(f"method {method}: gives {len(settings)} settings, one is run", fields=("method",))
    setting = settings[0]
    with label_folder(out, overwrite, None) as folder:
        with open_pictures(source, load, first=first, frames=frames) as video:
            found = label_action(video, trained, setting.strictness, setting.threshold)
        record = {"source": source.name, "first": first, "pictures": found.pictures, "task": "action"}
        record |= {"classes": list(trained.classes), "weights": file_hash(weights), "size": list(trained.size)}
        write_run(folder, record | {"method": "frame-exit", "settings": str(setting)})
        labels = {"action": found.action, "scores": found.scores, "looked_at": found.looked_at}
        (folder / ACTION).write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    if use_json:
        print_json({"event": "action", "output": str(out), "settings": str(setting), **asdict(found)})
        return
    score = found.scores[found.action]
    typer.echo(
        f"{found.action} ({score:.2f}), {found.looked_at} of {found.pictures} pictures looked at\n"
        f"{found.seconds:.2f} s: {found.decode_seconds:.2f} s of decoding, {found.network_seconds:.2f} s of the "
        f"network; {found.macs / 1e9:.3f} GMAC"
    )
