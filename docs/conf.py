"""Settings of the documentation site: ``sphinx-build -W --keep-going -n docs docs/_build``."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

# Typer and rich look at the terminal when they are imported; the site must not depend on it.
os.environ.setdefault("COLUMNS", "100")

from sphinx.ext.napoleon.docstring import GoogleDocstring

from scaleflow.version import scaleflow_version

project = "ScaleFlow"
author = "the ScaleFlow authors"
project_copyright = author
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
    (r"py:.*", r".*\[.*"),  # Annotations that Sphinx takes apart at their commas.
    (r"py:.*", r"Axes|Categorical|EntropyBottleneck|Figure|GaussianConditional"),  # Of the type checker alone.
]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
highlight_language = "text"  # Blocks without a language are command lines.
html_title = f"ScaleFlow {release}"
html_show_sphinx = False
html_copy_source = False


HERE = Path(__file__).parent
PAGES_ABOVE = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples.md",
}


def copy_pages_above(app):
    """Pages outside ``docs/`` become pages of the site; links between them and ours are turned."""
    folder = HERE / "project"
    folder.mkdir(exist_ok=True)
    for name, copy in PAGES_ABOVE.items():
        text = (HERE.parent / name).read_text(encoding="utf-8").replace("](docs/", "](../")
        for other, place in PAGES_ABOVE.items():
            text = text.replace(f"]({other}", f"]({place}")
        page = folder / copy
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def link_pages_above(app, docname, source):
    """Our pages link to ``../README.md``, as a code host wants it."""
    for name, copy in PAGES_ABOVE.items():
        source[0] = source[0].replace(f"](../{name}", f"](project/{copy}")


def skip_names_of_others(app, what, name, obj, skip, options):
    """What a package hands on is documented where it is defined; api.md lists what ``scaleflow`` does."""
    module = app.env.temp_data.get("autodoc:module")
    origin = getattr(obj, "__module__", None)
    if what == "module" and isinstance(origin, str) and origin.startswith("scaleflow") and origin != module:
        return True
    return None


def find_value(name, module):
    """What a name means: a dotted one from its package on, others in the module that says it, or in any of ours."""
    *places, last = name.split(".")
    ours = [known for known in list(sys.modules) if known.startswith("scaleflow.")]
    ours = [module, *ours] if module else ours
    for start, parts in [(".".join(places), [last]), *((known, name.split(".")) for known in ours)]:
        try:
            found = importlib.import_module(start)
            for part in parts:
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError):
            continue
        return found
    return None


def resolve_python_name(app, env, node, contnode):
    """Link what Sphinx does not find by itself.

    That are public names of ``scaleflow``, names that a package hands on, and short names in docstrings. What is there
    but has no entry is shown without a link: aliases, type variables, constants, and what other projects define.
    """
    if node.get("refdomain") != "py":
        return None
    domain, target = env.get_domain("py"), node["reftarget"]
    value = find_value(target, node.get("py:module"))
    if value is None:
        names = {name for name in domain.objects if name.endswith("." + target)}
        value_name = names.pop() if len(names) == 1 else None
    else:
        value_name = f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', None)}"
    if value_name in domain.objects:
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", value_name, node, contnode)
    return None if value is None else contnode


def escape_underscores(app, what, name, obj, options, lines):
    """Types of attributes whose name ends in an underscore, which reStructuredText takes for a link."""
    lines[:] = [line.replace("numpy.bool_", "numpy.bool\\_") for line in lines]


def setup(app):
    app.connect("builder-inited", copy_pages_above)
    app.connect("source-read", link_pages_above)
    app.connect("autodoc-skip-member", skip_names_of_others)
    app.connect("autodoc-process-docstring", escape_underscores, priority=900)  # after napoleon
    app.connect("missing-reference", resolve_python_name)
