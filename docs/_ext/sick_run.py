"""The directive ``sick_run``: a run that was made to fail, its curves, and what ``spinup diagnose`` says about it.

    ```{sick_run} sick_ppo_large_steps
    :columns: EpRet Entropy
    :healthy: cartpole_ppo/cartpole_ppo_s0
    ```

The name is that of an experiment in ``bench/results`` with one run, or of a run (``ex2-1_v0/ex2-1_v0_s0``). Both
options may be left out; ``own-scales`` draws each curve on its own scale. The words are those of the program, found
while the site is built, which fails where a run or a column is missing, or where nothing is found wrong.
"""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from columns import RESULTS, figures
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from spinup.analysis.diagnosis.evidence import read_evidence
from spinup.analysis.diagnosis.report import diagnose, words
from spinup.errors import command_line
from spinup.records.directory import holds_run, runs_below


def find(name: str) -> str:
    """The run ``name``, or the only one of the experiment ``name``, below ``bench/results``.

    Raises:
        LookupError: if there is no such run, or if there are several.
    """
    runs = [RESULTS / name] if holds_run(RESULTS / name) else runs_below(RESULTS / name)
    if len(runs) != 1:
        raise LookupError(f"bench/results/{name} holds {len(runs)} runs, not one")
    return runs[0].relative_to(RESULTS).as_posix()


def diagnosis(run: str, name: str) -> str:
    """What ``spinup diagnose`` prints about ``run``, where ``name`` is typed in a clone of the repository.

    Raises:
        LookupError: if it finds nothing.
    """
    evidence = replace(read_evidence(RESULTS / run), path=Path("bench", "results", run))
    with command_line("spinup"):
        findings = diagnose(evidence)
        if not findings:
            raise LookupError(f"bench/results/{run} looks healthy to spinup diagnose")
        return f"$ spinup diagnose bench/results/{name}\n{words(evidence, findings)}"


class SickRun(SphinxDirective):
    """See the module."""

    required_arguments = 1
    option_spec: ClassVar = {
        "columns": directives.unchanged_required,
        "healthy": directives.unchanged_required,
        "own-scales": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        try:
            run = find(self.arguments[0])
            runs = {"trouble": run}
            if "healthy" in self.options:
                runs = {"healthy": find(self.options["healthy"]), **runs}
            for column in self.options.get("columns", "").split():
                found += self.parse_text_to_nodes(f"**[{column}](/user/metrics.md#{column.lower()})**")
                found.append(nodes.raw("", figures(runs, column, "own-scales" in self.options), format="html"))
            found += self.parse_text_to_nodes(f"```console\n{diagnosis(run, self.arguments[0])}\n```")
        except LookupError as error:
            raise self.error(f"sick_run {self.arguments[0]}: {error}.") from error
        for name in runs.values():
            self.env.note_dependency(str(RESULTS / name / "progress.txt"))
        return [nodes.container("", *found, classes=["sick-run"])]


def setup(app):
    """Called by Sphinx."""
    app.add_directive("sick_run", SickRun)
    return {"parallel_read_safe": True}
