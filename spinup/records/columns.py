"""What the columns of ``progress.txt`` mean, with their units; an algorithm lists its own in ``COLUMNS``."""

import re

MEANING = {
    "Epoch": "number of the epoch, from 0",
    "EpRet": "return (sum of rewards, not discounted) of the episodes that ended in this epoch",
    "TestEpRet": "return of the test episodes after this epoch, which have no exploration",
    "EpLen": "mean length of the episodes that ended in this epoch, in steps",
    "TestEpLen": "mean length of the test episodes, in steps",
    "VVals": "V of the observations of this epoch, before the update, in units of discounted return",
    "QVals": "Q of the transitions in the minibatches, in units of discounted return",
    "Q1Vals": "Q of the transitions in the minibatches by the first critic, in units of discounted return",
    "Q2Vals": "Q of the transitions in the minibatches by the second critic, in units of discounted return",
    "LogPi": "log-density of the policy's own actions in the updates, in nats; its mean is minus the entropy",
    "TotalEnvInteracts": "environment steps since the start, over all environments",
    "LossPi": "loss of the policy before the update (PPO, TRPO: 0 up to rounding); off-policy, mean of all updates",
    "LossV": "mean squared error of V before the update, in units of discounted return squared",
    "LossQ": "loss of Q (the sum of both critics, where there are two), mean of all updates",
    "DeltaLossPi": "change of LossPi in this update; negative is better",
    "DeltaLossV": "change of LossV in this update; negative is better",
    "Entropy": "entropy of the policy after the update, in nats; falls as the policy explores less",
    "KL": "divergence between the policies before and after the update, in nats (TRPO: exact; else an estimate)",
    "ClipFrac": "share of the actions, 0 to 1, whose probability changed by more than clip_ratio",
    "StopIter": "gradient steps of the policy; fewer than train_pi_iters where target_kl stopped them",
    "BacktrackIters": "times that the line search shortened the step; backtrack_iters: it found none, nothing changed",
    "Alpha": "temperature: the weight of the policy's entropy against the reward, mean of all updates",
    "Time": "wall-clock time since the start, in seconds",
}
GROUPS = {  # in which trackers show the columns; all others are of the group "train"
    "rollout": ("EpRet", "EpLen", "TestEpRet", "TestEpLen"),
    "time": ("Epoch", "TotalEnvInteracts", "Time"),
}


def describe_columns(columns: str) -> str:
    """A line for each of ``columns``, as an algorithm lists them, and for the first and the last of every log."""
    names = ["Epoch", *columns.split(), "Time"]
    width = max(map(len, names))
    lines = [f"{name:{width}}  {MEANING[name.rstrip('*')]}" for name in names]
    return "\n".join([*lines, "*: four columns, as AverageEpRet, StdEpRet (standard deviation), MaxEpRet, MinEpRet"])


def tag_of(column: str) -> str:
    """The name of a column in a tracker, which shows the columns of a group together: ``rollout/AverageEpRet``."""
    if "/" in column:
        return column
    name = re.sub("^(Average|Std|Max|Min)", "", column)
    group = next((group for group, names in GROUPS.items() if name in names), "train")
    return f"{group}/{column}"
