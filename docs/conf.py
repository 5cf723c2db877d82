"""Settings of the documentation site: ``sphinx-build -W --keep-going -n docs docs/_build``."""

from __future__ import annotations

import os
import re
from pathlib import Path

# Typer and rich look at the terminal when they are imported; the site must not depend on it.
os.environ.setdefault("COLUMNS", "100")

from sphinx.ext.napoleon.docstring import GoogleDocstring

import scaleflow
from scaleflow.version import scaleflow_version

project = "ScaleFlow"
author = "the ScaleFlow authors"
release = scaleflow_version()

# Napoleon takes what stands before a colon in the docstring of a value for its type; ours are sentences.
GoogleDocstring._consume_inline_attribute = lambda self: ("", self._dedent(self._consume_to_end()))

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# The pages are Markdown, written so that they read well on a code host too.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# The reference is made from docstrings: one page a package, below docs/api/ (generated, not kept).
apidoc_modules = [
    {
        "path": "../src/scaleflow",
        "destination": "api",
        "exclude_patterns": ["**/cli/**", "**/presets/**", "**/__main__.py"],
        "follow_links": True,
        "max_depth": 1,
        "module_first": True,
        "automodule_options": {"ignore-module-all", "members", "show-inheritance"},
    }
]
autodoc_member_order = "bysource"
napoleon_use_ivar = True
napoleon_use_rtype = False

nitpicky = True
suppress_warnings = ["ref.python"]  # Names of attributes that several classes have.
nitpick_ignore_regex = [
    # Of other projects, whose inventories would have to be fetched from the network.
    (r"py:.*", r"(abc|av|collections|compressai|enum|fractions|nn|np|numpy|os|pathlib|torch|typing)\..+"),
    (
        r"py:.*",
        r"(Enum|Figure|Fraction|Path|Tensor|EntropyBottleneck|GaussianConditional|ModelMixin|fuse_conv_bn_eval|re\.Pattern)",
    ),
    # Type variables, aliases and constants, which have no entries of their own in the reference.
    (
        r"py:.*",
        r"(scaleflow\..+\.)?(Any[A-Z]\w+|Batch|BatchSource|Bytes|Config|Data|Item|Kernel|Result|Side|Stage|StageOf)",
    ),
    (r"py:.*", r"(scaleflow\..+\.)?(Categorical|NetworkCost|Schedule|StrPath|TakenBatch|_\w+)"),
    (r"py:data", r".+"),
    # Annotations that Sphinx cannot parse, and takes apart at their commas.
    (r"py:.*", r".*\[.*"),
]

html_theme = "furo"
html_title = f"ScaleFlow {release}"
html_show_sphinx = False
html_copy_source = False


HERE = Path(__file__).parent
PAGES_ABOVE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def copy_pages_above(app):
    """Pages at the top of the repository become pages of the site; links between them and ours are turned."""
    folder = HERE / "project"
    folder.mkdir(exist_ok=True)
    for name in PAGES_ABOVE:
        text = (HERE.parent / name).read_text(encoding="utf-8")
        text = re.sub(r"\]\(docs/", "](../", text)
        for other in PAGES_ABOVE:
            text = text.replace(f"]({other}", f"]({other.lower()}")
        page = folder / name.lower()
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def link_pages_above(app, docname, source):
    """Our pages link to ``../README.md``, as a code host wants it."""
    for name in PAGES_ABOVE:
        source[0] = source[0].replace(f"](../{name}", f"](project/{name.lower()}")


def skip_names_of_others(app, what, name, obj, skip, options):
    """What a package hands on is documented where it is defined; api.md lists what ``scaleflow`` does."""
    module = app.env.temp_data.get("autodoc:module")
    origin = getattr(obj, "__module__", None)
    if what == "module" and isinstance(origin, str) and origin.startswith("scaleflow") and origin != module:
        return True
    return None


def resolve_short_name(app, env, node, contnode):
    """Docstrings name a class without its module; find it where exactly one module has it."""
    if node.get("refdomain") != "py":
        return None
    domain, target = env.get_domain("py"), node["reftarget"]
    public = target.removeprefix("scaleflow.")
    if public in scaleflow.__all__ and public != "__version__":
        value = getattr(scaleflow, public)
        target = f"{value.__module__}.{value.__qualname__}".removeprefix("scaleflow.")
    found = {name for name in domain.objects if name.endswith("." + target)}
    if len(found) != 1:
        return None
    (name,) = found
    return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], name, node, contnode)


def setup(app):
    app.connect("builder-inited", copy_pages_above)
    app.connect("source-read", link_pages_above)
    app.connect("autodoc-skip-member", skip_names_of_others)
    app.connect("missing-reference", resolve_short_name)
