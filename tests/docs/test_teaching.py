"""The directives of the course refuse what would mislead a reader, and its figures are drawn by the code."""

import importlib
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import spinup

ROOT = Path(spinup.__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

pytest.importorskip("sphinx", reason="the extra docs is not installed")
EXTENSIONS = ("benchmark", "drawing", "learning_curves", "sources", "teaching")
benchmark, drawing, learning_curves, sources, teaching = map(importlib.import_module, EXTENSIONS)
files, draw, style = benchmark.files, benchmark.draw, importlib.import_module("docs.figures.style")

CSS = (ROOT / "docs" / "_static" / "spinup.css").read_text(encoding="utf-8")


def test_a_question_has_one_right_option_and_explains_all():
    right, wrong = "- [x] Yes, $d = 1$\n  ends it.\n\n  Because.\n", "- [ ] No.\n\n  For `a`\n\n  - b\n"
    assert teaching.options_of(right + wrong) == [
        (True, "Yes, $d = 1$ ends it.", "Because."),
        (False, "No.", "For `a`\n\n- b"),
    ]
    for text in (right, wrong + wrong, right + right):
        with pytest.raises(LookupError, match="one of them right"):
            teaching.options_of(text)
    with pytest.raises(LookupError, match=r"'Me\.' has no explanation"):
        teaching.options_of(right + "- [ ] Me.\n")


def test_pseudocode_names_the_equations_of_its_file():
    assert teaching.with_links("a step on (2), $f(2)$ and `g(1)`", "td3") == (
        "a step on [(2)](#td3-2), $f(2)$ and `g(1)`"
    )
    teaching.check_numbers("(1) (2) (3) (4) (5)", "td3")
    for text in ("(1) (2) (3) (4)", "(1) (2) (3) (4) (5) (6)", "(1) (2) (3) (4) $f(5)$"):
        with pytest.raises(LookupError, match="the steps name the equations"):
            teaching.check_numbers(text, "td3")


@pytest.mark.parametrize("algo", sorted({algo for algos in spinup.ALGORITHMS.values() for algo in algos}))
def test_the_training_loop_is_found_in_every_backend(algo):
    for file in sources.sources_of(algo).values():
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        start, end = sources.parts_of("\n".join(lines), algo)["loop"]
        assert lines[start - 1].startswith("    run = Run(") and lines[end - 1].startswith("    return run.finished(")


def test_changes_leave_out_what_two_algorithms_share():
    before, after = ((ROOT / f"spinup/algos/pytorch/{algo}.py").read_text("utf-8") for algo in ("ddpg", "td3"))
    lines = sources.changes_between(before, after, "ddpg", "td3")
    assert lines[:2] == ["--- ddpg.py", "+++ td3.py"]
    assert any(line.startswith("+def target_action(") for line in lines)
    assert not any("def explore(" in line for line in lines if line.startswith(("+", "-")))


def test_changes_of_programs_name_them_without_the_place_where_the_site_is_built():
    lines = sources.changes_between("a\nb\n", "a\nc\n", "pg_math/1_simple_pg", "pg_math/2_rtg_pg")
    assert lines == ["--- pg_math/1_simple_pg.py", "+++ pg_math/2_rtg_pg.py", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    assert all((ROOT / file).is_file() for file in sources.files_of("pg_math/2_rtg_pg").values())


def test_the_curves_of_a_benchmark_stand_beside_the_published_ones():
    cheetah = next(runs for runs in benchmark.collected_of("td3") if runs.name == "halfcheetah_td3_jax")
    panel = benchmark.picture(cheetah, benchmark.files.read_published())
    assert panel.count("<polyline") == 2 and "HalfCheetah-v5, JAX" in panel and "nan" not in panel
    single = benchmark.picture(cheetah._replace(runs={0: cheetah.runs[0]}), {})
    assert single.count("<polyline") == 1 and "1 run<" in single and "nan" not in single


def test_the_curves_of_an_environment_can_be_switched_off_by_their_names():
    found = [runs for runs in files.read_all_collected(files.RESULTS) if runs.env == "Hopper-v5"]
    panels = {panel.name: panel for panel in draw.panels(found, files.read_published())}
    shown = learning_curves.figure(panels["hopper_off_policy_jax"])
    for algo in ("ddpg", "td3", "sac"):  # a line and a band each
        assert f'value="{algo}" checked' in shown
        assert shown.count(f'class="{algo} ours"') == shown.count(f'class="{algo} theirs"') == 2
        assert f'[value="{algo}"]:not(:checked)) .{algo}' in CSS
    assert "dashed" in shown and "Hopper-v5, off-policy, JAX: DDPG, 3 runs, to " in shown


def test_where_the_original_published_nothing_nothing_is_compared():
    rows = [learning_curves.row(runs, {}) for runs in benchmark.collected_of("dqn")]
    (head, *_), (compared, *_) = (learning_curves.table(rows, c).split("\n") for c in (False, True))
    assert "original" not in head and "original, 10 runs | our mean is" in compared


def test_a_drawing_is_described_to_those_who_hear_the_page():
    svg = '<?xml?><svg viewBox="0 0 1 1" role="x" width="4" height="5"><title>old</title><rect width="1"/></svg>'
    assert drawing.inlined(svg, 'a "b"') == (
        '<svg viewBox="0 0 1 1" role="img" aria-label="a &quot;b&quot;"><rect width="1"/></svg>'
    )
    assert 'role="group"' in drawing.inlined('<svg><a href="x"><rect/></a></svg>', "a map with links")


def test_a_drawing_scrolls_where_a_phone_would_show_its_labels_too_small():
    svg = (
        '<svg viewBox="0 0 400 90"><text style="font-size: 10px">10<tspan style="font-size: 7px">2</tspan></text></svg>'
    )
    assert drawing.fitted(svg) == f'<div class="scrolls" tabindex="0" style="--legible: 356px">{svg}</div>'
    assert drawing.fitted(svg.replace("10px", "11px")) == svg.replace("10px", "11px")


@pytest.mark.parametrize("name", style.names())
def test_a_figure_is_what_its_script_draws(name):
    if f"matplotlib=={version('matplotlib')}\n" not in (ROOT / "constraints.txt").read_text(encoding="utf-8"):
        pytest.skip("another matplotlib may draw other lines")
    assert style.drawn(name) == (style.IMAGES / f"{name}.svg").read_text(encoding="utf-8")
