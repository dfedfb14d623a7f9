"""bench.curves: what it trains, what it keeps of that, and that its figures and tables say what the files say."""

import csv
import json
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import spinup
from bench import machine
from bench.curves import __main__ as curves
from bench.curves import draw as drawing
from bench.curves import files, settings
from spinup.analysis.curves import LoggedRun
from spinup.errors import ExperimentFailed, UserError
from spinup.experience.envs import EnvFn

BENCH = Path(curves.__file__).resolve().parents[1]
RESULTS = BENCH / "results" / "curves"


def table(path, delimiter=","):
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))


# ---- the tables, worked out anew ----

ROW = re.compile(r"\| (\w+) \| (JAX|PyTorch) \| ([\d.]+)(?: to ([\d.]+))? M \| (\d+) \|(.*)\|(.*)\|(.*)\|(.*)\|")
LENGTHS = {"VPG": 4000, "TRPO": 4000, "PPO": 4000}  # steps between two published points; 10,000 off-policy


def rows_of_the_page(folder=RESULTS):
    env = None
    for line in (folder / "README.md").read_text(encoding="utf-8").splitlines():
        env = line[3:] if line.startswith("## ") else env
        if match := ROW.fullmatch(line):
            algo, backend, start, stop, runs, *cells = match.groups()
            span = [1e6 * float(number) for number in (start, stop) if number]
            yield pytest.param(env, algo, backend, span, int(runs), [c.strip() for c in cells], id=line[2:40])


def numbers(cell):
    return [float(number) for number in re.findall(r"-?[\d.]+", cell)]


def is_about(shown, value):
    """Whether ``value`` rounds to the number shown, give or take the last of its five digits in the file."""
    return abs(shown - value) <= (0.52 if abs(shown) >= 100 else 0.052) + 5e-5 * abs(value)


def average_around(y, i, half):
    near = [v for v in y[max(i - half, 0) : i + half + 1] if not np.isnan(v)]
    return sum(near) / len(near)


def smoothed(algo, x, y):
    half = round((11 * LENGTHS.get(algo, 10_000) / x[0] - 1) / 2)
    return [average_around(y, i, half) for i in range(len(y))]


def runs_of(rows):
    """Steps and performances, by seed."""
    runs = {}
    for row in rows:
        x, y = runs.setdefault(row["seed"], ([], []))
        x.append(int(row["steps"]))
        y.append(float(row["performance"] or "nan"))
    return runs


def performance(folder, env, algo, backend, span):
    """Each run's: interpolated at one step, smoothed where there is a published curve, or averaged between two."""
    name, found = f"{env.split('-')[0].lower()}_{algo.lower()}_{backend.lower()}", []
    for x, y in runs_of(table(folder / f"{name}.csv")).values():
        if len(span) == 2:
            found.append(np.nanmean([v for s, v in zip(x, y) if span[0] < s <= span[1]]))
        else:
            found.append(np.interp(span[0], x, smoothed(algo, x, y) if published(env, algo, span) else y))
    return x, np.array(found)


def published(env, algo, steps):
    rows = [
        row
        for row in table(BENCH / "published" / "curves.csv")
        if (row["env"], row["algo"]) == (env.split("-")[0], algo.lower())
    ]
    if not rows:  # classic control
        return None
    x, mean, std = ([float(row[column]) for row in rows] for column in ("steps", "mean", "std"))
    return np.interp(steps, x, mean).mean(), np.interp(steps, x, std).mean()


@pytest.mark.slow
@pytest.mark.parametrize(("env", "algo", "backend", "span", "runs", "cells"), list(rows_of_the_page()))
def test_a_row_of_the_tables(env, algo, backend, span, runs, cells, folder=RESULTS):
    x, values = performance(folder, env, algo, backend, span)
    assert len(values) == runs
    assert all(map(is_about, numbers(cells[0]), (values.mean(), values.std())))
    assert ("±" in cells[0]) == (cells[1] != "") == (runs > 1)
    if runs > 1:
        middle = sorted(values)[runs // 4 : runs - runs // 4]
        iqm, *interval = numbers(cells[1].replace("[", " "))
        assert is_about(iqm, sum(middle) / len(middle)) and (len(interval) == 2) == (runs > 2)
    if runs == 3:  # of so few, more than 2.5 % of all resamples are the best or the worst run alone
        assert is_about(interval[0], values.min()) and is_about(interval[1], values.max())
    elif runs > 3:
        assert min(values) - 1 <= interval[0] <= iqm <= interval[1] <= max(values) + 1
    steps = span if len(span) == 1 else [s for s in x if span[0] < s <= span[1]]
    theirs = published(env, algo, steps)
    if theirs is None:
        assert cells[2:] == ["", ""]
        return
    their_mean, their_std = theirs
    assert all(map(is_about, numbers(cells[2]), (their_mean, their_std)))
    below, above = values.mean() < their_mean - their_std, values.mean() > their_mean + their_std
    assert cells[3] == ("" if runs == 1 else "**below**" if below else "above" if above else "inside")


def test_everything_below_the_band_is_reported():
    section = (RESULTS / "README.md").read_text(encoding="utf-8").partition("## Below the original's band")[2]
    reported = re.findall(r"\| `(\w+)` \| (\d+) \| (\d+) \| ([\d,]+) and ([\d,]+) \|", section.partition("\n## ")[0])
    bands, found = table(BENCH / "published" / "curves.csv"), []
    for path in sorted(RESULTS.glob("*.csv")):
        env, algo, _ = path.stem.split("_")
        runs = list(runs_of(table(path)).values())
        start, stop = max(x[0] for x, _ in runs), min(x[-1] for x, _ in runs)
        band = [b for b in bands if (b["env"].lower(), b["algo"]) == (env, algo) and start <= int(b["steps"]) <= stop]
        runs, below = [(x, smoothed(algo.upper(), x, y)) for x, y in runs], []
        for step, mean, std in ([float(b[column]) for column in ("steps", "mean", "std")] for b in band):
            below += [step] if np.mean([np.interp(step, x, y) for x, y in runs]) < mean - std else []
        if below and len(runs) > 1:
            found.append((path.stem, str(len(band)), str(len(below)), f"{below[0]:,.0f}", f"{below[-1]:,.0f}"))
    assert reported == found


def starts_of_ddpg(curve, *logs):
    """Mean test return of each run between 40,000 and 60,000 steps: of a collected curve, or none, and of logs."""
    runs = list(runs_of(table(RESULTS / curve)).values()) if curve else []
    for log in (path for pattern in logs for path in sorted(RESULTS.parent.glob(f"{pattern}/progress.txt"))):
        rows = table(log, "\t")
        runs.append(([int(r["TotalEnvInteracts"]) for r in rows], [float(r["AverageTestEpRet"]) for r in rows]))
    return np.array([np.mean([v for s, v in zip(*run) if 40_000 < s <= 60_000]) for run in runs])


def test_ddpg_starts_in_each_backend_as_the_page_says():
    page = " ".join((RESULTS.parent / "README.md").read_text(encoding="utf-8").split())
    first, fresh = (
        (
            starts_of_ddpg("halfcheetah_ddpg_pytorch.csv", "cheetah_ddpg/*_s[0-9]", "ex2-2_ddpgactorcritic/*_s[12]0"),
            starts_of_ddpg("halfcheetah_ddpg_jax.csv", "cheetah_ddpg_jax/*_s[3-9]", "cheetah_ddpg_jax/*_s10"),
        ),
        (starts_of_ddpg("", "cheetah_ddpg/*_s[23][0-9]"), starts_of_ddpg("", "cheetah_ddpg_jax/*_s[23][0-9]")),
    )
    for runs, number in zip((*first, *fresh), ("nine", "eleven", "twelve", "twelve"), strict=True):
        spread = f"({number} runs, {runs.min():.0f} to {runs.max():.0f})"
        assert re.search(rf"\b{runs.mean():.0f} ± {runs.std():.0f} in (PyTorch|JAX) {re.escape(spread)}", page)
    for pair, digits in ((first, 3), (fresh, 2), ((first[1], fresh[1]), 3)):
        assert f"p = {stats.ttest_ind(*pair, equal_var=False).pvalue:.{digits}f}" in page
    drawn, every = starts_of_ddpg("halfcheetah_ddpg_pytorch.csv"), np.concatenate([*first, *fresh])
    original, _ = published("HalfCheetah-v5", "ddpg", [50_000])
    assert f"{drawn.mean():.0f} there, all {len(every)} together {every.mean():.0f}; the original's" in page
    assert f"at 50,000 is {original:.0f}" in page


def test_the_rows_of_what_was_not_published():
    rng, folder = np.random.default_rng(0), Path("classic")
    classic = (("CartPole-v1", "dqn", 2000, 1), ("Pendulum-v1", "sac", 2000, 2), ("Acrobot-v1", "ppo", 4000, 3))
    for env, algo, epoch, number in classic:
        steps = np.arange(epoch, 300_001, epoch)
        columns = {name: rng.normal(-150, 60, len(steps)) for name in files.MEASURED} | {files.STEPS: steps}
        runs = {
            seed: LoggedRun(folder, "mine", env, columns | {files.PERFORMANCE: rng.normal(0, 200, len(steps))})
            for seed in range(number)
        }
        files.write_collected(folder, files.CollectedRuns(env, algo, "jax", runs, {"made_by": MADE_BY}))
    curves.main(["draw", str(folder)])
    shown = [parameter.values for parameter in rows_of_the_page(folder)]
    assert [(row[1], len(row[3])) for row in shown] == [(algo, n) for algo in ("PPO", "DQN", "SAC") for n in (1, 2)]
    for row in shown:
        test_a_row_of_the_tables(*row, folder=folder)
    assert "\n| none | | | |\n" in (folder / "README.md").read_text(encoding="utf-8")  # is below the original


def test_every_experiment_has_rows():
    shown = {tuple(parameter.values[:3]) for parameter in rows_of_the_page()}
    names = {f"{env.split('-')[0]}_{algo}_{backend}".lower() for env, algo, backend in shown}
    assert names == {path.stem for path in RESULTS.glob("*.csv")}


@pytest.mark.parametrize(
    ("env", "algo", "step", "mean", "std"),
    [
        ("HalfCheetah", "ppo", 1_000_000, 1733.22, 520.61),
        ("Ant", "td3", 999_999, 3807.51, 944.82),
        ("Hopper", "trpo", 500_000, 636.12, 267.27),
    ],
)
def test_published_numbers(env, algo, step, mean, std):
    assert files.read_published()[env, algo].over(np.array([step])) == pytest.approx((mean, std), rel=1e-4)


def test_nothing_is_published_beyond_the_curves():
    original = files.read_published()["Swimmer", "sac"]
    assert original.over(np.array([3_000_000])) is not None
    assert original.over(np.array([10_000, 1_000_000])) is original.over(np.array([3_100_000])) is None


# ---- drawing ----


@pytest.mark.parametrize(
    ("algo", "epoch", "rows"), [("ppo", 4000, 11), ("sac", 10_000, 11), ("sac", 4000, 27), ("ppo", 1000, 45)]
)
def test_smoothing_covers_the_steps_of_the_published_curves(algo, epoch, rows):
    run = LoggedRun(Path("run"), "mine", "Hopper-v5", {files.STEPS: epoch * np.arange(1.0, 4)})
    experiment = files.CollectedRuns("Hopper-v5", algo, "jax", {0: run}, {})
    assert drawing.smoothing_window(experiment, files.read_published()["Hopper", algo]) == rows
    assert drawing.smoothing_window(experiment, None) == 1


@pytest.mark.slow
def test_the_committed_figures_and_tables_are_those_of_the_files(tmp_path):
    for folder in ("a", "b"):
        curves.main(["draw", "--to", folder])
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert drawn == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    committed = {path.name for path in RESULTS.iterdir() if path.suffix in (".png", ".md")}
    assert drawn.keys() == committed
    assert drawn["README.md"] == (RESULTS / "README.md").read_bytes()
    pinned = (BENCH.parent / "constraints.txt").read_text(encoding="utf-8")
    if f"matplotlib=={version('matplotlib')}\n" in pinned:  # another one may draw other pixels
        assert [name for name in committed if drawn[name] != (RESULTS / name).read_bytes()] == []


# ---- collecting ----

MADE_BY = [{"command": "spinup ppo", "commit": "abc", "machine": {"processor": "a loom"}, "seeds": [0, 1, 10]}]


def train(run, seed=0, **settings):
    """Half a second of PPO on Swimmer, in this process."""
    settings = dict(steps_per_epoch=100, epochs=3, max_ep_len=20, num_envs=1, train_v_iters=2) | settings
    logger_kwargs = {"output_dir": run, "exp_name": "mine"}
    spinup.ppo_pytorch(EnvFn("Swimmer-v5"), seed=seed, logger_kwargs=logger_kwargs, **settings)
    Path(run).parent.joinpath("made_by.json").write_text(json.dumps(MADE_BY))


def test_what_is_collected_is_what_was_logged():
    for seed in (0, 10):
        train(f"data/mine/s{seed}", seed)
    curves.main(["collect", "data", "--to", "out/curves"])
    rows = table("out/curves/swimmer_ppo_pytorch.csv")
    assert {(row["env"], row["algo"], row["backend"]) for row in rows} == {("Swimmer-v5", "ppo", "pytorch")}
    for seed in ("0", "10"):
        logged, mine = table(f"data/mine/s{seed}/progress.txt", "\t"), [row for row in rows if row["seed"] == seed]
        assert [(row["epoch"], row["steps"]) for row in mine] == [("0", "100"), ("1", "200"), ("2", "300")]
        for kept, column in (("performance", "AverageEpRet"), ("ep_len", "EpLen"), ("seconds", "Time")):
            shown, exact = ([float(row[name]) for row in table_] for name, table_ in ((kept, mine), (column, logged)))
            np.testing.assert_allclose(shown, exact, rtol=5e-5)
    about = json.loads(Path("out/curves/swimmer_ppo_pytorch.json").read_text())
    assert about["seeds"] == [0, 10] and about["made_by"] == [MADE_BY[0] | {"seeds": [0, 10]}]
    assert (about["settings"]["max_ep_len"], about["settings"]["gamma"]) == (20, 0.99)
    curves.main(["draw", "out/curves"])
    assert (Path("out/curves") / "swimmer_on_policy_pytorch.png").read_bytes().startswith(b"\x89PNG")
    assert "| PPO | PyTorch | 0.00027 to 0.0003 M | 2 |" in Path("out/curves/README.md").read_text(encoding="utf-8")


def test_what_is_not_finished_is_left_out_unless_asked_for(capsys):
    for seed in (0, 1):
        train(f"data/mine/s{seed}", seed)
    log = Path("data/mine/s1/progress.txt")
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    curves.main(["collect", "data", "--to", "out"])
    assert "s1 is left out" in capsys.readouterr().out
    assert [row["seed"] for row in table("out/swimmer_ppo_pytorch.csv")] == ["0"] * 3
    curves.main(["collect", "data", "--to", "out", "--unfinished"])
    assert [row["seed"] for row in table("out/swimmer_ppo_pytorch.csv")] == ["0"] * 3 + ["1"] * 2
    with pytest.raises(UserError, match="none of these runs is finished"):
        curves.main(["collect", "data/mine/s1", "--to", "out"])


def test_collected_runs_stay_though_they_are_gone():
    for seed in (0, 10, 1):
        train(f"data/mine/s{seed}", seed)
    curves.main(["collect", "data", "--to", "all"])
    for more in ([], ["--overwrite"]):
        for seed in (0, 10, 1, 0):
            curves.main(["collect", f"data/mine/s{seed}", "--to", "out", *more])
        for name in ("swimmer_ppo_pytorch.csv", "swimmer_ppo_pytorch.json"):
            assert Path("out", name).read_bytes() == Path("all", name).read_bytes()


def test_a_resumed_run_keeps_the_rows_that_were_collected():
    train("data/mine/s0", epochs=2)
    curves.main(["collect", "data", "--to", "out"])
    before = Path("out/swimmer_ppo_pytorch.csv").read_bytes()
    config = Path("data/mine/s0/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"epochs": 7}))
    train("data/mine/s1", 1, epochs=2)
    curves.main(["collect", "data", "--to", "out"])
    after = Path("out/swimmer_ppo_pytorch.csv").read_bytes()
    assert after.startswith(before) and len(table("out/swimmer_ppo_pytorch.csv")) == 4


def note(*entries):
    made = [{"command": c, "commit": commit, "machine": {}, "seeds": seeds} for c, commit, *seeds in entries]
    Path("data/mine/made_by.json").write_text(json.dumps(made))


def collected_entries():
    made = json.loads(Path("out/swimmer_ppo_pytorch.json").read_text())["made_by"]
    return [(entry["command"], entry["commit"], *entry["seeds"]) for entry in made]


def test_only_what_has_trained_the_collected_runs_is_kept():
    for seed in (0, 1):
        train(f"data/mine/s{seed}", seed)
    note(("a", "abc", 0, 1, 2), ("b", "def", 1), ("c", "def", 2))
    curves.main(["collect", "data", "--to", "out"])
    assert collected_entries() == [("a", "abc", 0, 1), ("b", "def", 1)]
    train("data/mine/s2", 2)
    note(("a", "abc", 0, 1, 2), ("b", "def", 1), ("c", "def", 2))
    curves.main(["collect", "data/mine/s2", "--to", "out"])
    assert collected_entries() == [("a", "abc", 0, 1, 2), ("b", "def", 1), ("c", "def", 2)]
    train("other/mine/s1", 1)
    curves.main(["collect", "other", "--to", "out", "--overwrite"])
    assert collected_entries() == [("a", "abc", 0, 2), ("c", "def", 2), ("spinup ppo", "abc", 1)]
    curves.main(["draw", "out"])
    assert "| `swimmer_ppo_pytorch` | 0 2 | abc | `a` | 1 |" in Path("out/README.md").read_text(encoding="utf-8")


def test_a_run_without_a_note_is_not_collected():
    train("data/mine/s7", 7)
    with pytest.raises(UserError, match=r"made_by.json' does not say what trained seed 7"):
        curves.main(["collect", "data", "--to", "out"])


ENTRY = {"command": "a", "commit": "b", "machine": {}, "seeds": [0]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "[",
        "{}",
        "[1]",
        json.dumps(ENTRY),
        json.dumps([ENTRY | {"machine": "mine"}]),
        *(json.dumps([{k: v for k, v in ENTRY.items() if k != key}]) for key in ENTRY),
    ],
)
def test_a_note_that_lacks_something_gets_a_sentence(text):
    train("data/mine/s0")
    Path("data/mine/made_by.json").write_text(text)
    with pytest.raises(UserError, match=r"made_by.json' is invalid: expected a list of objects with \"command\""):
        curves.main(["collect", "data", "--to", "out"])


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"algorithm": "my_ppo.ppo"}, "ppo of my_ppo.ppo"),
        ({"algorithm": "__main__.ppo"}, "ppo of __main__.ppo"),
        ({"algorithm": "a.b.c.d"}, "d of a.b.c.d"),
        ({"algorithm": "spinup.algos.jax.mine.mine"}, "mine of spinup.algos.jax.mine.mine"),
        ({"algorithm": "spinup.algos.jax.trpo.trpo", "algo": "npg"}, "npg of spinup.algos.jax.trpo.trpo"),
    ],
)
def test_only_algorithms_of_ours_are_collected(changed, name):
    train("data/mine/s0")
    config = Path("data/mine/s0/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | changed))
    with pytest.raises(UserError, match=f"was trained by {name}: only curves of spinup's own vpg, trpo, ppo"):
        curves.main(["collect", "data", "--to", "out"])


def test_rows_that_differ_are_not_replaced_by_mistake():
    train("data/mine/s0", epochs=2)
    curves.main(["collect", "data", "--to", "out"])
    file = Path("out/swimmer_ppo_pytorch.csv")
    train("data/mine/s0", resume=True)
    curves.main(["collect", "data", "--to", "out"])  # more rows, of which the first are the same
    before = file.read_bytes()
    assert before.count(b"\n") == 1 + 3
    train("other/mine/s0")  # the seconds differ, at least
    with pytest.raises(UserError, match=r"rows that these runs do not have \(seeds 0\).*--overwrite"):
        curves.main(["collect", "other", "--to", "out"])
    assert file.read_bytes() == before
    curves.main(["collect", "other", "--to", "out", "--overwrite"])
    assert file.read_bytes() != before


def test_other_settings_do_not_replace_by_mistake():
    train("data/mine/s0")
    train("other/mine/s0", gamma=0.5, lam=0.9)
    curves.main(["collect", "data", "--to", "out"])
    with pytest.raises(UserError, match=r"has other settings.* differ in gamma, lam: .*--overwrite"):
        curves.main(["collect", "other", "--to", "out"])
    curves.main(["collect", "other", "--to", "out", "--overwrite"])
    assert json.loads(Path("out/swimmer_ppo_pytorch.json").read_text())["settings"]["gamma"] == 0.5


def test_a_setting_that_an_older_version_did_not_have_counts_as_its_default():
    train("data/mine/s0")
    curves.main(["collect", "data", "--to", "out"])
    file = Path("out/swimmer_ppo_pytorch.json")
    older = json.loads(file.read_text())
    del older["settings"]["norm_obs"]
    file.write_text(json.dumps(older))
    train("other/mine/s1", seed=1, norm_obs=True)
    with pytest.raises(UserError, match="differ in norm_obs: "):
        curves.main(["collect", "other", "--to", "out"])
    train("more/mine/s1", seed=1, threads=2)  # these may differ
    curves.main(["collect", "more", "--to", "out"])
    assert json.loads(file.read_text())["seeds"] == [0, 1]


def test_what_is_kept_can_be_written_again(tmp_path):
    for file in sorted(RESULTS.glob("*.csv")):
        files.write_collected(tmp_path, files.read_collected(file))
        assert all(
            (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes() for name in (file.name, f"{file.stem}.json")
        )


def test_half_of_an_experiment_gets_a_sentence():
    file = Path("curves/swimmer_ppo_jax.csv")
    file.parent.mkdir()
    file.write_text(",".join(files.COLUMNS) + "\n")
    with pytest.raises(UserError, match=r"swimmer_ppo_jax.csv' has no rows"):
        curves.main(["draw", "curves"])
    file.write_bytes((RESULTS / "halfcheetah_ppo_jax.csv").read_bytes())
    with pytest.raises(UserError, match=r"swimmer_ppo_jax.json' is missing"):
        curves.main(["draw", "curves"])


def test_only_runs_that_belong_together_are_collected_together():
    train("a/mine/s0")
    train("b/mine/s0")
    train("c/mine/s1", seed=1, gamma=0.5)
    with pytest.raises(UserError, match="have the same seed"):
        curves.main(["collect", "a", "b", "--to", "out"])
    with pytest.raises(UserError, match="differ in gamma"):
        curves.main(["collect", "a", "c", "--to", "out"])
    Path("a/mine/made_by.json").unlink()
    with pytest.raises(UserError, match=r"made_by.json' is missing.*write a list"):
        curves.main(["collect", "a", "--to", "out"])
    assert not Path("out").exists()


# ---- training ----


def experiments_of(monkeypatch, *argv):
    """What ``run`` would train."""
    found = []
    monkeypatch.setattr(curves, "launch", lambda experiments, **_: found.extend(experiments))
    curves.main(["run", "--commit", "abc", *argv])
    return found


def test_the_settings_are_the_published_ones(monkeypatch):
    found = experiments_of(monkeypatch, "--steps", "1e6", "--data_dir", "d")
    assert len(found) == 6 * 5 * 5
    by_name = {experiment.name: experiment.kwargs for experiment in found}
    on, off = by_name["halfcheetah_ppo_jax"], by_name["ant_sac_jax"]
    assert (on["ac_kwargs"], on["steps_per_epoch"], on["epochs"]) == ({"hidden_sizes": [64, 32]}, 4000, 250)
    assert (off["ac_kwargs"], off["steps_per_epoch"], off["epochs"]) == ({"hidden_sizes": [256, 256]}, 10_000, 100)
    assert repr(off["env_fn"]) == repr(EnvFn("Ant-v5")) and off["resume"]
    given = {"env_fn", "ac_kwargs", "seed", "steps_per_epoch", "epochs", "device", "resume", "logger_kwargs"}
    assert all(experiment.kwargs.keys() == given for experiment in found)  # all else is at our defaults
    assert [experiment.kwargs["seed"] for experiment in found] == [seed for seed in range(5) for _ in range(30)]


def test_classic_control_is_trained_by_what_suits_it(monkeypatch):
    found = experiments_of(monkeypatch, "--envs", "CartPole", "Pendulum", "LunarLander", "--seeds", "0")
    on_policy = ["vpg", "trpo", "ppo"]
    trained = {"CartPole-v1": [*on_policy, "dqn"], "Pendulum-v1": [*on_policy, "ddpg", "td3", "sac"]}
    trained["LunarLander-v3"] = trained["CartPole-v1"]
    for env_name, algos in trained.items():
        mine = [e for e in found if e.config["env_name"] == env_name]
        assert [e.thunk.__name__ for e in mine] == algos
        for e in mine:
            assert e.kwargs["steps_per_epoch"] == (4000 if e.thunk.__name__ in on_policy else 2000)
            assert "ac_kwargs" not in e.kwargs


@pytest.mark.parametrize(("steps", "epochs"), [("1", 1), ("4000", 1), ("4001", 2), ("3*10**6", 750)])
def test_steps_are_rounded_up_to_epochs(monkeypatch, steps, epochs):
    (found,) = experiments_of(
        monkeypatch, "--algos", "vpg", "--envs", "Hopper", "--seeds", "7", "--backend", "pytorch", "--steps", steps
    )
    assert (found.name, found.kwargs["epochs"], found.kwargs["seed"]) == ("hopper_vpg_pytorch", epochs, 7)
    assert found.output_dir.parts[-4:] == ("data", "curves", "hopper_vpg_pytorch", "hopper_vpg_pytorch_s7")


def test_what_has_more_steps_already_is_left_as_it_is(monkeypatch):
    run = Path("d/swimmer_vpg_jax/swimmer_vpg_jax_s0")
    (run / "checkpoint").mkdir(parents=True)
    (run / "checkpoint" / "epoch4.npz").touch()
    argv = ["--algos", "vpg", "--envs", "Swimmer", "--seeds", "0", "1", "--data_dir", "d", "--steps", "8000"]
    assert [e.kwargs["epochs"] for e in experiments_of(monkeypatch, *argv)] == [5, 2]


@pytest.mark.slow
def test_run_resumes_where_it_stopped(monkeypatch, capfd):
    monkeypatch.setitem(settings.EPOCH_STEPS, "vpg", 400)
    argv = ["run", "--algos", "vpg", "--backend", "pytorch", "--envs", "Swimmer", "--data_dir", "d", "--commit", "abc"]
    curves.main([*argv, "--seeds", "0", "--steps", "800"])
    log = Path("d/swimmer_vpg_pytorch/swimmer_vpg_pytorch_s0/progress.txt")
    before = log.read_text()
    capfd.readouterr()
    curves.main([*argv, "--seeds", "0", "--steps", "800"])
    assert "0 of 1 runs to train" in capfd.readouterr().out and log.read_text() == before
    curves.main([*argv, "--seeds", "0", "1", "--steps", "1200", "--jobs", "2"])
    assert log.read_text().startswith(before) and len(table(log, "\t")) == 3
    entries = json.loads(Path("d/swimmer_vpg_pytorch/made_by.json").read_text())
    command = "python -m bench.curves run --algos vpg --backend pytorch --envs Swimmer --steps"
    assert [e["command"] for e in entries] == [f"{command} 800 --seeds 0", f"{command} 1200 --seeds 0 1"]
    assert [e["seeds"] for e in entries] == [[0], [0, 1]]
    curves.main([*argv, "--seeds", "0", "2", "--steps", "1200"])
    entries = json.loads(Path("d/swimmer_vpg_pytorch/made_by.json").read_text())
    assert (entries[-1]["command"], entries[-1]["seeds"]) == (f"{command} 1200 --seeds 0 2", [2])  # 0 was finished
    assert {e["commit"] for e in entries} == {"abc"} and "processor" in entries[0]["machine"]
    curves.main(["collect", "d", "--to", "out"])
    assert len(table("out/swimmer_vpg_pytorch.csv")) == 9


def test_a_start_that_ended_before_a_run_began_has_not_trained_it(monkeypatch):
    monkeypatch.setattr(curves, "launch", lambda experiments, launcher, report, here: report())
    argv = ["run", "--algos", "ppo", "--envs", "Swimmer", "--seeds", "0", "1", "--data_dir", "d"]
    curves.main([*argv, "--commit", "a"])
    checkpoint = Path("d/swimmer_ppo_jax/swimmer_ppo_jax_s0/checkpoint/epoch0.npz")
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    curves.main([*argv, "--commit", "b"])
    entries = json.loads(Path("d/swimmer_ppo_jax/made_by.json").read_text())
    assert [(entry["commit"], entry["seeds"]) for entry in entries] == [("a", [0]), ("b", [0, 1])]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_bench_begins_anew_and_takes_a_commit_where_there_is_no_git():
    make = ["make", "-C", str(BENCH.parent), "--no-print-directory", "--dry-run", "bench", "COMMIT=abc"]
    lines = subprocess.run(make, capture_output=True, text=True, check=True).stdout.splitlines()
    commands = lines[lines.index("rm -rf data/make_bench") + 1 :]
    assert all("data/make_bench" in command for command in commands)
    with_commit = [command.split()[1:4] for command in commands if command.endswith("--commit abc")]
    assert with_commit == [["-m", "bench.speed", "--quick"], ["-m", "bench.curves", "run"]]


def made_by(monkeypatch, *argv):
    """What ``run`` notes of itself, when it would train one experiment."""
    monkeypatch.setattr(curves, "launch", lambda experiments, launcher, report, here: report())
    curves.main(["run", "--algos", "ppo", "--envs", "Swimmer", "--seeds", "0", "--data_dir", "d", *argv])
    backend = "pytorch" if "pytorch" in argv else "jax"
    (entry,) = json.loads(Path(f"d/swimmer_ppo_{backend}/made_by.json").read_text())
    return entry["machine"]


def test_the_gpu_that_trains_is_named(monkeypatch):
    def run(command, **_):
        assert command[-2:] == ["cuda", "jax"]
        return subprocess.CompletedProcess(command, 0, "NVIDIA H200\n", "")

    monkeypatch.setattr(machine, "subprocess", SimpleNamespace(run=run))
    trained_on = made_by(monkeypatch, "--commit", "abc", "--device", "cuda")
    assert trained_on["device"] == "NVIDIA H200" and "processor" in trained_on


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "pytorch"])
def test_a_device_is_named_as_its_framework_finds_it(monkeypatch, capsys, backend):
    machine.print_device(["cpu", backend])
    assert capsys.readouterr().out == "cpu\n"
    with pytest.raises(UserError, match="device='warp' is not available here"):
        made_by(monkeypatch, "--commit", "abc", "--device", "warp", "--backend", backend)


def test_the_processor_alone_is_named_where_it_trains(monkeypatch):
    assert "device" not in made_by(monkeypatch, "--commit", "abc", "--backend", "pytorch")


@pytest.mark.slow
def test_a_cluster_may_have_a_device_that_is_not_here(monkeypatch, capfd):
    ran = []
    monkeypatch.setattr(curves, "choose_launcher", lambda *_: ran.extend)
    argv = ["run", "--algos", "ppo", "--envs", "Swimmer", "--commit", "abc", "--device", "warp", "--backend", "pytorch"]
    curves.main([*argv, "--launcher", "ray"])
    assert len(ran) == 5
    with pytest.raises(ExperimentFailed):
        curves.main([*argv, "--launcher", "local"])
    assert "device='warp' is not available here" in capfd.readouterr().err


def test_the_machines_of_a_cluster_are_not_described(monkeypatch):
    monkeypatch.setattr(curves, "choose_launcher", lambda *_: None)
    trained_on = made_by(monkeypatch, "--commit", "abc", "--launcher", "ray", "--device", "cuda")
    assert trained_on == {"cluster": "machines of a Ray cluster, not described", "device": "cuda"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["rum"], "'rum' is not one of run, collect, draw. Did you mean 'run'"),
        (["run", "--algos", "ppoo"], "--algos 'ppoo' is not one of.*Did you mean 'ppo'"),
        (["run", "--algos", "dqn"], "dqn cannot act in HalfCheetah, .*: dqn needs discrete actions"),
        (["run", "--algos", "sac", "td3", "--envs", "CartPole"], "sac, td3 cannot act in CartPole"),
        (["run", "--envs", "Hoper"], "--envs 'Hoper' is not one of.*Did you mean 'Hopper'"),
        (["run", "--backend", "jaxx"], "--backend 'jaxx' is not one of.*Did you mean 'jax'"),
        (["run", "--steps", "many"], "--steps 'many' is invalid"),
        (["run", "--steps", "0"], "--steps 0 is invalid"),
        (["run", "--seedz", "1"], "unknown argument '--seedz'. Did you mean '--seeds'"),
        (["run", "--launcher", "rey"], "launcher='rey' "),
        (["collect", "nowhere"], "'nowhere' holds no run"),
        (["collect", str(BENCH / "results" / "lunar_ppo")], "does not record in config.json"),
        (["draw", "nowhere"], "'nowhere' holds no curves"),
    ],
)
def test_mistakes(argv, message):
    with pytest.raises(UserError, match=message):
        curves.main(argv)
