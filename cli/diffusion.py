"""``scaleflow diffusion``: restoration of decoded video by a diffusion model, and the clock that makes it cheaper."""

from __future__ import annotations

from scaleflow.cli import diffusion_eval, diffusion_restore, diffusion_train
from scaleflow.cli.verbs import Verbs

app = Verbs("Restore heavily compressed video by a small diffusion model: train it, clock it, measure it.")
app.command("train")(diffusion_train.train)
app.command("distill")(diffusion_train.distill)
app.command("restore")(diffusion_restore.restore)
app.command("eval")(diffusion_eval.evaluate)
