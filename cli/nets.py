"""``scaleflow nets``: networks for tasks, and how they run on video."""

from __future__ import annotations

from scaleflow.cli import nets_eval, nets_generate, nets_run, nets_show, nets_train
from scaleflow.cli.verbs import Verbs

app = Verbs("Networks for tasks (segmentation, keypoints, ...): train them, measure them on video, and label videos.")
app.command("train")(nets_train.train)
app.command("eval")(nets_eval.evaluate)
app.command("run")(nets_run.run)
app.command("plot")(nets_show.plot)
app.command("table")(nets_show.table)
app.command("make-small-objects")(nets_generate.make_small_objects)
app.command("make-actions")(nets_generate.make_actions)
