"""How fast does it train? Environment steps per second beside other libraries, as a Markdown table.

    python bench/speed.py [--env ENV] [--epochs 11] [--pairs 3] [--threads 1 2] [--only TEXT ...] [--json FILE]

A number is the speed of whole training (acting, simulating, learning, logging) after the first epoch, which warms up.
Each measurement is a process of its own. A round measures every row with every number of threads, and every second
round runs backwards, so that a machine that slows down slows all rows alike. Each row counts with the number of threads
that suits it best, because small networks often learn faster on one. A ratio is the median over rounds.
"""

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from machine import describe_machine

ON_POLICY_STEPS, NUM_ENVS, ITERATIONS, ON_POLICY_SIZES = 4000, 4, 80, [64, 64]
OFF_POLICY_STEPS, UPDATE_EVERY, BATCH_SIZE, OFF_POLICY_SIZES = 2000, 50, 100, [256, 256]
NOTE = f"""\
On-policy, alike everywhere: {NUM_ENVS} environments, {ON_POLICY_STEPS} steps an epoch, full batches, tanh networks
{ON_POLICY_SIZES}, gamma 0.99, lambda 0.97.

- Stable-Baselines3 takes all {ITERATIONS} steps, of policy and value together; with early stop (target_kl 0.01,
  exceeded 1.5 times) it ends both.
- spinup PPO at its defaults stops the policy there and takes all {ITERATIONS} value steps. Without early stop, both
  sides do equal work.
- VPG takes 1 policy and {ITERATIONS} value steps an epoch, which is less work than the PPO it is compared with.
- Stable-Baselines3 also clips gradients, as it does by default.

Off-policy, alike everywhere: one environment, {OFF_POLICY_STEPS} steps an epoch (the first, not counted, ends the
random actions), {UPDATE_EVERY} gradient steps after every {UPDATE_EVERY} environment steps, batches of {BATCH_SIZE},
relu networks {OFF_POLICY_SIZES}, gamma 0.99, polyak 0.995, SAC's alpha 0.2. spinup also tests its agent for one
episode an epoch, and that time counts."""


# ---- how to train: each returns the steps per second after the first epoch ----


def train_ours(env: str, epochs: int, algorithm: str, **kwargs) -> float:
    """Train one of our algorithms, ``algorithm`` being its name in the package (``ppo_pytorch``)."""
    import spinup
    from spinup.utils.envs import EnvFn

    on_policy = algorithm.split("_")[0] in ("vpg", "trpo", "ppo")
    if on_policy:
        sizes, settings = ON_POLICY_SIZES, {"steps_per_epoch": ON_POLICY_STEPS, "num_envs": NUM_ENVS}
    else:
        sizes, settings = OFF_POLICY_SIZES, {"steps_per_epoch": OFF_POLICY_STEPS, "start_steps": OFF_POLICY_STEPS}
        settings |= {"update_every": UPDATE_EVERY, "batch_size": BATCH_SIZE, "num_test_episodes": 1}
    settings |= {"ac_kwargs": {"hidden_sizes": sizes}, "epochs": epochs, **kwargs}
    with tempfile.TemporaryDirectory() as folder:
        getattr(spinup, algorithm)(EnvFn(env), logger_kwargs={"output_dir": folder}, **settings)
        header, *rows = [line.split("\t") for line in (Path(folder) / "progress.txt").read_text().splitlines()]
    times = [float(row[header.index("Time")]) for row in rows]
    return settings["steps_per_epoch"] * (epochs - 1) / (times[-1] - times[0])


def train_sb3_ppo(env: str, epochs: int, module: str = "stable_baselines3", **kwargs) -> float:
    """Train PPO of Stable-Baselines3, or of a ``module`` with the same interface."""
    from stable_baselines3.common.env_util import make_vec_env

    ppo = importlib.import_module(module).PPO(
        "MlpPolicy",
        make_vec_env(env, n_envs=NUM_ENVS, seed=0),
        n_steps=ON_POLICY_STEPS // NUM_ENVS,
        batch_size=ON_POLICY_STEPS,
        n_epochs=ITERATIONS,
        gamma=0.99,
        gae_lambda=0.97,
        policy_kwargs={"net_arch": {"pi": ON_POLICY_SIZES, "vf": ON_POLICY_SIZES}},  # tanh, by default
        device="cpu",
        seed=0,
        **kwargs,
    )
    return time_sb3(ppo, ON_POLICY_STEPS, epochs)


def train_sb3_off_policy(env: str, epochs: int, algorithm: str, module: str = "stable_baselines3", **kwargs) -> float:
    """Train DDPG, TD3 or SAC (``algorithm``) of Stable-Baselines3, or of a ``module`` with the same interface."""
    import numpy as np
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.noise import NormalActionNoise

    envs = make_vec_env(env, n_envs=1, seed=0)
    act_dim = envs.action_space.shape[0]
    if algorithm == "SAC":
        kwargs["ent_coef"] = 0.2
    else:
        kwargs["action_noise"] = NormalActionNoise(np.zeros(act_dim), np.full(act_dim, 0.1))
    agent = getattr(importlib.import_module(module), algorithm)(
        "MlpPolicy",
        envs,
        learning_rate=1e-3,
        learning_starts=OFF_POLICY_STEPS,
        train_freq=UPDATE_EVERY,
        gradient_steps=UPDATE_EVERY,
        batch_size=BATCH_SIZE,
        gamma=0.99,
        tau=0.005,
        policy_kwargs={"net_arch": OFF_POLICY_SIZES},
        device="cpu",
        seed=0,
        **kwargs,
    )
    return time_sb3(agent, OFF_POLICY_STEPS, epochs)


def time_sb3(agent, steps_per_epoch: int, epochs: int) -> float:
    """Steps per second of an agent of Stable-Baselines3's interface, after the first epoch."""
    agent.learn(steps_per_epoch)
    start = time.perf_counter()
    agent.learn(steps_per_epoch * (epochs - 1), reset_num_timesteps=False)
    return steps_per_epoch * (epochs - 1) / (time.perf_counter() - start)


# ---- rows ----


@dataclass(frozen=True)
class Row:
    """A line of the table: what is trained, how, and the names of the rows it is compared with."""

    name: str
    train: Callable[..., float]
    options: dict = field(default_factory=dict)
    baselines: tuple[str, ...] = ()


SB3, SB3_EARLY, SBX = "Stable-Baselines3 PPO", "Stable-Baselines3 PPO, early stop", "SBX PPO (JAX)"
HAS_SBX = importlib.util.find_spec("sbx") is not None


def rows() -> list[Row]:
    """Every line of the table; baselines stand above the rows that name them."""
    sbx = {"module": "sbx"}
    peers = (SB3, SBX) if HAS_SBX else (SB3,)
    found = [Row(SB3, train_sb3_ppo), Row(SB3_EARLY, train_sb3_ppo, {"target_kl": 0.01}), Row(SBX, train_sb3_ppo, sbx)]
    for backend, theirs in (("PyTorch", (SB3,)), ("JAX", peers)):
        ppo, vpg = ({"algorithm": f"{name}_{backend.lower()}"} for name in ("ppo", "vpg"))
        found.append(Row(f"spinup PPO ({backend})", train_ours, ppo, (*theirs, SB3_EARLY)))
        found.append(Row(f"spinup PPO ({backend}), no early stop", train_ours, {**ppo, "target_kl": None}, theirs))
        found.append(Row(f"spinup VPG ({backend})", train_ours, vpg, theirs))
    for name in ("SAC", "TD3", "DDPG"):
        sb3, sbx_name = f"Stable-Baselines3 {name}", f"SBX {name} (JAX)"
        found.append(Row(sb3, train_sb3_off_policy, {"algorithm": name}))
        found.append(Row(sbx_name, train_sb3_off_policy, {"algorithm": name, **sbx}))
        for backend, theirs in (("PyTorch", (sb3,)), ("JAX", (sb3, sbx_name) if HAS_SBX else (sb3,))):
            ours = {"algorithm": f"{name}_{backend}".lower()}
            found.append(Row(f"spinup {name} ({backend})", train_ours, ours, theirs))
    return [row for row in found if HAS_SBX or not row.name.startswith("SBX")]


ROWS = rows()


def choose(texts: list[str]) -> list[Row]:
    """The rows whose names hold one of ``texts``, and their baselines."""
    chosen = {row.name: row for row in ROWS if any(text.lower() in row.name.lower() for text in texts)}
    baselines = {name for row in chosen.values() for name in row.baselines}
    return [row for row in ROWS if row.name in chosen or row.name in baselines]


# ---- measuring ----


def measure(row: Row, threads: int, args: argparse.Namespace) -> float:
    """Measure ``row`` in a new process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "speed.json"
        command = [sys.executable, __file__, "--env", args.env, "--epochs", str(args.epochs)]
        command += ["--measure", row.name, "--json", str(result)]
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{done.stderr}\nerror: {row.name} could not be measured.")
        return json.loads(result.read_text())


def measure_all(rows: list[Row], args: argparse.Namespace) -> dict[tuple[str, int], list[float]]:
    """Steps per second of every row with every number of threads, in each of ``args.pairs`` rounds."""
    pairs = [(row, threads) for row in rows for threads in args.threads]
    speeds: dict[tuple[str, int], list[float]] = {(row.name, threads): [] for row, threads in pairs}
    for number in range(args.pairs):
        for row, threads in pairs if number % 2 == 0 else reversed(pairs):
            speed = measure(row, threads, args)
            speeds[row.name, threads].append(speed)
            print(f"round {number + 1}/{args.pairs}: {row.name}, threads {threads}: {speed:.0f}", file=sys.stderr)
    return speeds


def summarise(rows: list[Row], speeds: dict[tuple[str, int], list[float]]) -> list[dict]:
    """For each row: its best number of threads, the median speed with it, and the median ratio to its baseline."""
    summaries: dict[str, dict] = {}
    for row in rows:  # baselines stand above the rows that name them
        medians = {t: statistics.median(each) for (name, t), each in speeds.items() if name == row.name}
        best = max(medians, key=medians.__getitem__)
        each = speeds[row.name, best]
        summary = {"name": row.name, "threads": best, "steps_per_second": each, "median": medians[best]}
        summary |= {"medians_by_threads": medians, "ratios": {}}
        for name in row.baselines:
            theirs = summaries[name]["steps_per_second"]
            summary["ratios"][name] = statistics.median(mine / their for mine, their in zip(each, theirs, strict=True))
        summaries[row.name] = summary
    return list(summaries.values())


# ---- reporting ----


def report(args: argparse.Namespace, machine: dict, summaries: list[dict]) -> str:
    """The table, and what is needed to read it."""
    lines = [f"{args.env}, {args.epochs} epochs, {args.pairs} rounds", ""]
    lines += [f"- {key}: {value}" for key, value in machine.items()]
    lines += ["", "| | steps/s, median | each round | threads | how many times as fast |", "|---" * 5 + "|"]
    for row in summaries:
        each = " ".join(f"{speed:.0f}" for speed in row["steps_per_second"])
        threads = f"{row['threads']} of {', '.join(map(str, row['medians_by_threads']))}"
        ratios = "; ".join(f"**{ratio:.2f}** {name}" for name, ratio in row["ratios"].items())
        lines.append(f"| {row['name']} | {row['median']:.0f} | {each} | {threads} | {ratios} |")
    return "\n".join([*lines, "", NOTE])


def main() -> None:
    """Measure the rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--env", default="HalfCheetah-v5", help="a Gymnasium environment (default: %(default)s)")
    add("--epochs", type=int, default=11, help="epochs of each measurement, the first not counted")
    add("--pairs", type=int, default=3, help="rounds: how often each row is measured (default: %(default)s)")
    add("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}), help="threads to try")
    add("--only", default=[""], nargs="+", metavar="TEXT", help="only rows whose names hold TEXT, and their baselines")
    add("--json", type=Path, metavar="FILE", help="also write everything to FILE")
    add("--measure", metavar="NAME", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.epochs < 2 or args.pairs < 1:
        parser.error("--epochs must be 2 or more (the first is not counted), and --pairs 1 or more")
    if args.measure:
        row = next(row for row in ROWS if row.name == args.measure)
        args.json.write_text(json.dumps(row.train(args.env, args.epochs, **row.options)))
        return
    rows = choose(args.only)
    if not rows:
        parser.error(f"no row is named like {args.only!r}; there are: {'; '.join(row.name for row in ROWS)}")
    speeds = measure_all(rows, args)
    machine, summaries = describe_machine(), summarise(rows, speeds)
    print(report(args, machine, summaries))
    if args.json:
        settings = {"env": args.env, "epochs": args.epochs, "pairs": args.pairs}
        args.json.write_text(json.dumps({**settings, "machine": machine, "rows": summaries}, indent=2))


if __name__ == "__main__":
    main()
