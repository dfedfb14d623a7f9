"""Curves and pictures: what is averaged with what, what is left out, and what a mistake is answered with."""

import errno
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import to_rgba
from scipy.stats import trim_mean

import spinup
from spinup.analysis import curves, plot
from spinup.commands.plot import main
from spinup.errors import UserError, command_line
from spinup.experiments.launchers.live_table import progress_of
from spinup.records.directory import runs_below


def write_run(path, returns, steps=None, exp_name="ppo", env="CartPole-v1", **columns):
    """A run directory with ``returns`` (None: an empty cell) as its AverageEpRet."""
    path.mkdir(parents=True)
    steps = steps or [1000 * (i + 1) for i in range(len(returns))]
    table = {"Epoch": range(len(returns)), "AverageEpRet": returns, "TotalEnvInteracts": steps, **columns}
    rows = [list(table), *zip(*table.values(), strict=True)]
    lines = ["\t".join("" if cell is None else str(cell) for cell in row) for row in rows]
    (path / "progress.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path / "config.json").write_text(json.dumps({"exp_name": exp_name}), encoding="utf-8")
    (path / "env.json").write_text(json.dumps({"id": env}), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path):
    """Two experiments of three seeds."""
    for seed, shift in enumerate((0, 3, 9)):
        write_run(tmp_path / f"data/algo1/algo1_s{seed}", [10 + shift, 20 + shift, 30 + shift], exp_name="algo1")
        write_run(tmp_path / f"data/algo2/algo2_s{seed}", [1 + shift, 2 + shift, 3 + shift], exp_name="algo2")
    return tmp_path / "data"


def lines(figure):
    """Each curve's x and y, by its label in the legend."""
    return {line.get_label(): line.get_xydata().T for line in figure.axes[0].lines}


def draw(*args, **kwargs):
    (figure,) = plot.make_plots(*args, save="curve.svg", **kwargs)
    return figure


# ---- finding runs ----


def test_a_prefix_stands_for_every_directory_that_begins_with_it(data):
    assert list(lines(draw([f"{data}/algo"]))) == ["algo1", "algo2"]
    assert list(lines(draw([f"{data}/algo1/"]))) == ["algo1"]
    assert list(lines(draw(str(data)))) == ["algo1", "algo2"]


def test_a_directory_is_not_taken_for_the_prefix_of_another(tmp_path):
    write_run(tmp_path / "off" / "off_s0", [1, 2], exp_name="off")
    write_run(tmp_path / "offj" / "offj_s0", [3, 4], exp_name="offj")
    assert list(lines(draw("off"))) == ["off"]
    assert list(lines(draw("of"))) == ["off", "offj"]


def test_a_run_is_not_taken_for_the_prefix_of_another(tmp_path):
    write_run(tmp_path / "run_s1", [1, 2])
    write_run(tmp_path / "run_s10", [3, 4])
    np.testing.assert_array_equal(lines(draw("run_s1"))["ppo"][1], [1, 2])
    np.testing.assert_array_equal(lines(draw("run_s"))["ppo"][1], [2, 3])


def test_select_and_exclude(data):
    assert list(lines(draw("data", select=["algo1"]))) == ["algo1"]
    assert list(lines(draw("data", exclude=["algo1"]))) == ["algo2"]
    assert list(lines(draw("data", count=True, select=["algo1", "_s2"]))) == ["algo1_s2"]
    with pytest.raises(UserError, match="holds none that select and exclude let through"):
        draw("data", select=["nothing"])


def test_a_run_reached_twice_counts_once(data):
    once, twice = draw("data/algo1"), draw(["data/algo1", "data/algo1/algo1_s2"])
    np.testing.assert_array_equal(lines(once)["algo1"], lines(twice)["algo1"])


@pytest.mark.parametrize("path", ["missing", "missing/deeper/still"])
def test_no_run(path):
    with pytest.raises(UserError, match=f"'{path}' is not a run and holds none"):
        draw(path)


# ---- which runs make which curve ----


def test_the_legend_names_directories(data):
    assert list(lines(draw(["data/algo2", "data/algo1"], legend=["two", "one"]))) == ["two", "one"]
    assert list(lines(draw("data/algo", legend=["same", "same"]))) == ["same"]


def test_a_legend_of_the_wrong_length_names_the_directories_that_need_one(data):
    with pytest.raises(UserError, match=r"legend has 1 name for 2 directories.*data.algo1, data.algo2"):
        draw("data/algo", legend=["one"])


def test_count_draws_every_run(data):
    assert list(lines(draw("data/algo1", count=True))) == ["algo1_s0", "algo1_s1", "algo1_s2"]
    assert list(lines(draw("data/algo1", count=True, legend=["a"]))) == [f"a: algo1_s{i}" for i in range(3)]


def test_one_name_in_two_environments_makes_two_curves(tmp_path):
    write_run(tmp_path / "a/ppo_s0", [1, 2], env="CartPole-v1")
    write_run(tmp_path / "b/ppo_s0", [3, 4], env="Acrobot-v1")
    figure = draw(["a", "b"])
    assert list(lines(figure)) == ["ppo (CartPole-v1)", "ppo (Acrobot-v1)"]
    assert figure.axes[0].get_title() == ""
    assert list(lines(draw(["a", "b"], count=True))) == ["a/ppo_s0", "b/ppo_s0"]


def test_the_name_of_a_run_without_config_is_that_of_its_directory(tmp_path):
    run = write_run(tmp_path / "mine", [1, 2])
    (run / "config.json").write_text("{ half", encoding="utf-8")
    (run / "env.json").unlink()
    assert list(lines(draw("mine"))) == ["mine"]


def test_a_second_call_is_labelled_right(data):
    first, second = draw("data/algo1"), draw("data/algo2")
    assert (list(lines(first)), list(lines(second))) == (["algo1"], ["algo2"])
    labels = [t.get_text() for t in second.axes[0].get_legend().get_texts()]
    assert labels == ["algo2"]


# ---- numbers ----


def test_the_band_is_one_standard_deviation_about_the_mean(data):
    figure = draw("data/algo1")
    np.testing.assert_allclose(lines(figure)["algo1"][1], [14, 24, 34])
    (band,) = figure.axes[0].collections
    y = band.get_paths()[0].vertices[:, 1]
    std = np.std([0, 3, 9])
    assert (y.min(), y.max()) == pytest.approx((14 - std, 34 + std))
    assert figure.axes[0].get_legend().get_title().get_text() == "mean ± std of 3 runs"


def test_one_run_has_no_band(data):
    for estimator in plot.ESTIMATORS:
        assert not draw("data/algo1/algo1_s0", estimator=estimator).axes[0].collections


@pytest.mark.parametrize(("estimator", "expected"), [("median", 3), ("max", 9), ("min", 0)])
def test_other_estimators(data, estimator, expected):
    assert lines(draw("data/algo1", estimator=estimator))["algo1"][1][0] == 10 + expected


def test_iqm_agrees_with_scipy_and_repeats():
    ys = np.random.default_rng(1).normal(size=(12, 5))
    strata = ["a"] * 6 + ["b"] * 6
    centre, low, high = curves.ESTIMATORS["iqm"](ys, strata)
    np.testing.assert_allclose(centre, trim_mean(ys, 0.25, axis=0))
    assert (low < centre).all() and (centre < high).all()
    np.testing.assert_array_equal(low, curves.ESTIMATORS["iqm"](ys, strata)[1])


def test_iqm_resamples_within_strata():
    ys = np.repeat([[0.0], [100.0]], 4, axis=0)  # all of the spread lies between the strata
    _, low, high = curves.ESTIMATORS["iqm"](ys, ["a"] * 4 + ["b"] * 4)
    assert low == high == 50
    _, low, high = curves.ESTIMATORS["iqm"](ys, ["a"] * 8)
    assert low < 50 < high


def test_iqm_has_no_interval_for_a_stratum_of_one_run():
    assert curves.ESTIMATORS["iqm"](np.arange(3.0)[:, None], ["a", "a", "b"])[1:] == (None, None)


def test_smoothing_is_a_centred_average_of_what_there_is():
    y = np.array([1.0, 2.0, 6.0, np.nan, 10.0])
    np.testing.assert_allclose(curves.smooth_values(y, 3), [1.5, 3, 4, np.nan, 10])
    np.testing.assert_allclose(curves.smooth_values(np.arange(4.0), 10**15), [1.5] * 4)
    np.testing.assert_array_equal(curves.smooth_values(y, 1), y)


@given(arrays(float, st.integers(1, 20), elements=st.floats(-100, 100) | st.just(np.nan)), st.integers(1, 30))
def test_smoothing_agrees_with_a_loop(y, window):
    before, after = window - 1 - (window - 1) // 2, (window - 1) // 2
    windows = [y[max(i - before, 0) : i + after + 1] for i in range(len(y))]
    expected = [np.nan if np.isnan(y[i]) else np.nanmean(w) for i, w in enumerate(windows)]
    np.testing.assert_allclose(curves.smooth_values(y, window), expected, atol=1e-9)


def test_smoothing_leaves_its_input_alone(data):
    before = (data / "algo1/algo1_s0/progress.txt").read_bytes()
    y = np.arange(5.0)
    curves.smooth_values(y, 3)
    np.testing.assert_array_equal(y, np.arange(5.0))
    smooth = draw("data/algo1", smooth=3)
    np.testing.assert_allclose(lines(smooth)["algo1"][1], [19, 24, 29])
    assert (data / "algo1/algo1_s0/progress.txt").read_bytes() == before


def test_performance_is_the_test_return_where_there_is_one(tmp_path):
    write_run(tmp_path / "on", [1, 2], exp_name="on")
    write_run(tmp_path / "off", [3, 4], exp_name="off", AverageTestEpRet=[5, 6])
    figure = draw(["on", "off"])
    np.testing.assert_array_equal(lines(figure)["on"][1], [1, 2])
    np.testing.assert_array_equal(lines(figure)["off"][1], [5, 6])
    assert figure.axes[0].get_ylabel() == "Average return"
    assert draw("off").axes[0].get_ylabel() == "Average test return"


def test_runs_of_different_grids_are_interpolated_within_their_common_range(tmp_path, capsys):
    write_run(tmp_path / "a_s0", [0, 10, 20], steps=[100, 200, 300])
    write_run(tmp_path / "a_s1", [0, 40], steps=[50, 250])
    x, y = lines(draw("a_s"))["ppo"]
    np.testing.assert_array_equal(x, [100, 200, 250])
    np.testing.assert_allclose(y, [(0 + 10) / 2, (10 + 30) / 2, (15 + 40) / 2])
    assert "end between 250 and 300" in capsys.readouterr().out


def test_empty_cells_are_bridged_inside_a_run_and_not_invented_at_its_ends(tmp_path):
    write_run(tmp_path / "a_s0", [None, 10, None, 30, None])
    write_run(tmp_path / "a_s1", [0, 10, 20, 30, 40])
    np.testing.assert_allclose(lines(draw("a_s"))["ppo"], [[2000, 3000, 4000], [10, 20, 30]])


def test_runs_without_anything_in_common(tmp_path):
    write_run(tmp_path / "a_s0", [1, 2], steps=[1, 2])
    write_run(tmp_path / "a_s1", [1, 2], steps=[5, 6])
    with pytest.raises(UserError, match="have no 'TotalEnvInteracts' in common"):
        draw("a_s")
    assert len(lines(draw("a_s", count=True))) == 2


def test_runs_cannot_be_averaged_over_what_goes_back_and_forth(data):
    write_run(data / "algo1/algo1_s3", [3, 1, 2], exp_name="algo1")
    with pytest.raises(UserError, match="'AverageEpRet' goes back and forth"):
        draw("data/algo1", xaxis="AverageEpRet", values="Epoch")


# ---- damaged logs ----


def test_half_a_row_is_left_out_with_a_warning(tmp_path, capsys):
    run = write_run(tmp_path / "a", [1, 2, 3])
    with (run / "progress.txt").open("a") as file:
        file.write("3\t4")
    np.testing.assert_array_equal(lines(draw("a"))["ppo"][1], [1, 2, 3])
    assert "left out 1 incomplete or damaged row." in capsys.readouterr().out


def test_a_damaged_row_is_left_out_with_a_warning(tmp_path, capsys):
    run = write_run(tmp_path / "a", [1, 2, 3])
    text = (run / "progress.txt").read_bytes()
    (run / "progress.txt").write_bytes(text.replace(b"\n1\t2", b"\n1\t2\xe9"))
    np.testing.assert_array_equal(lines(draw("a"))["ppo"][1], [1, 3])
    assert "left out 1 incomplete or damaged row." in capsys.readouterr().out
    assert progress_of(run).epochs == 3


def test_a_log_that_cannot_be_read_is_skipped(tmp_path, capsys):
    (write_run(tmp_path / "a", [1, 2]) / "progress.txt").rename(tmp_path / "a/old")
    (tmp_path / "a/progress.txt").mkdir()
    with pytest.raises(UserError, match="'a' is not a run and holds none"):
        draw("a")
    assert curves.read_progress(tmp_path / "a/progress.txt") == {}
    assert "skipped, it cannot be read (Is a directory)" in capsys.readouterr().out


def test_linked_runs_are_found_once(tmp_path):
    write_run(tmp_path / "elsewhere/b", [3, 4], exp_name="b")
    write_run(tmp_path / "data/z", [1, 2], exp_name="z")
    for link, to in {"b": "../elsewhere/b", "circle": "..", "again": "z"}.items():
        (tmp_path / "data" / link).symlink_to(to)
    assert runs_below(Path("data")) == [Path("data/b"), Path("data/z")]
    assert list(lines(draw("data"))) == ["b", "z"]
    assert list(lines(draw("data/again"))) == ["z"]


@pytest.mark.parametrize("content", ["", "\n", "Epoch\tAverageEpRet\tTotalEnvInteracts\n", "Epoch\tAverageEpRet\n0"])
def test_a_log_without_rows_is_skipped(data, capsys, content):
    (data / "algo1/algo1_s1/progress.txt").write_text(content)
    np.testing.assert_allclose(lines(draw("data/algo1"))["algo1"][1], [14.5, 24.5, 34.5])
    assert "skipped" in capsys.readouterr().out
    with pytest.raises(UserError, match="no run has finished an epoch"):
        draw("data/algo1/algo1_s1")


def test_a_run_without_a_finished_episode_is_skipped(data, capsys):
    write_run(data / "algo1/algo1_s3", [None, None], exp_name="algo1")
    assert len(lines(draw("data/algo1"))["algo1"][1]) == 3
    assert "algo1_s3: skipped" in capsys.readouterr().out
    with pytest.raises(UserError, match="nothing to plot"):
        draw("data/algo1/algo1_s3")


# ---- mistakes ----


def test_unknown_columns_get_a_suggestion(data):
    with pytest.raises(UserError, match=r"values='AverageEpret' is not a column.*Did you mean 'AverageEpRet'"):
        draw("data", values="AverageEpret")
    with pytest.raises(UserError, match=r"xaxis='Epochs'.*'Epoch'"):
        draw("data", xaxis="Epochs")
    assert not list(data.parent.glob("curve*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "--save", "a.png", "--smooth", "0"], "--smooth 0 is invalid"),
        (["data", "--smooth", "wide"], "invalid int value: 'wide'"),
        (["data", "--save", "a.png", "-est", "medain"], "'medain' is not one of mean.*'median'"),
        (["data", "--save", "curve.jpg"], r"'curve.jpg': expected a file name that ends in .png, .svg or .pdf"),
        (["data", "--save", "curve"], "'curve'"),
        (["data", "--valeu", "KL"], "unknown argument '--valeu'. Did you mean '--value'"),
        (["--legend", "a", "data"], "at least one directory, before the flags"),
        (["data"], "no display.*--save FILE"),
    ],
)
def test_mistakes_on_the_command_line(data, arguments, message):
    with pytest.raises(UserError, match=message), command_line("spinup"):
        main(arguments)


def test_a_file_where_a_folder_is_needed(data):
    with pytest.raises(UserError, match="cannot save the plot"):
        plot.make_plots("data", save="data/algo1/algo1_s0/config.json/curve.png")


def test_a_full_disk_leaves_no_half_picture(data, monkeypatch):
    def fail(_, path, **__):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(UserError, match=r"cannot save the plot as 'curve.png': No space left on device"):
        plot.make_plots("data", save="curve.png")
    assert not [*Path().glob("curve*")]


# ---- pictures ----


def test_a_name_that_is_no_text(tmp_path):
    write_run(tmp_path / "run", [1, 2], exp_name="n\udcffm")  # as Python reads the byte 0xFF, of another encoding
    assert [*lines(draw("run"))] == ["n?m"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_runs_give_the_same_bytes(data, suffix):
    for name in ("a", "b"):
        main(["data", "--save", f"deep/{name}.{suffix}", "--est", "iqm"])
    a, b = ((data.parent / f"deep/{name}.{suffix}").read_bytes() for name in "ab")
    assert a == b
    assert a.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    assert sorted(p.name for p in (data.parent / "deep").iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


def test_several_values_make_several_files(data):
    main(["data", "--value", "Performance", "Epoch", "--save", "curve.png"])
    assert sorted(p.name for p in data.parent.glob("curve*")) == ["curve_Epoch.png", "curve_Performance.png"]


def test_what_a_figure_says(data):
    axes = draw("data").axes[0]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == (
        "CartPole-v1",
        "Environment steps",
        "Average return",
    )
    assert to_rgba(axes.lines[0].get_color()) != to_rgba(axes.lines[1].get_color())
    assert draw("data", values="Epoch").axes[0].get_ylabel() == "Epoch"


@pytest.mark.parametrize(("last", "power"), [(5000, False), (6000, True)])
def test_long_axes_are_scientific(tmp_path, last, power):
    write_run(tmp_path / "a", [1, 2], steps=[1000, last])
    figure = draw("a")
    figure.draw_without_rendering()
    assert ("10^{3}" in figure.axes[0].xaxis.get_offset_text().get_text()) == power


def test_more_curves_than_colours_are_told_apart(tmp_path):
    for i in range(20):
        write_run(tmp_path / f"data/run{i}", [i, i + 1], exp_name=f"run{i}")
    axes = draw("data").axes[0]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 20


def test_names_with_special_meaning_to_matplotlib_are_shown_as_they_are(tmp_path):
    write_run(tmp_path / "a", [1, 2], exp_name="_a$b$")
    (label,) = draw("a").axes[0].get_legend().get_texts()
    assert label.get_text() == r"_a\$b\$"


def test_without_a_file_the_figures_belong_to_pyplot(data):
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (figure,) = plot.make_plots("data", show=False)
    assert plt.figure(figure.number) is figure
    plt.close(figure)


@pytest.mark.parametrize("screen", [True, False])
def test_figures_are_shown_or_a_line_says_that_they_are_not(screen, data, monkeypatch, capsys):
    import matplotlib.pyplot as plt

    shown = []
    plt.close("all")
    monkeypatch.setattr(plot, "can_show", lambda: screen)
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    (figure,) = spinup.plot([data / "algo1"])
    assert shown == [[figure.number]] * screen
    assert ("nothing is shown: write the plot to a file with save=" in capsys.readouterr().out) is not screen
    plt.close(figure)


def test_a_home_that_cannot_be_written_is_no_news():
    script = "from spinup.analysis.plot import can_show; can_show()"
    environment = {**os.environ, "HOME": os.devnull, "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
