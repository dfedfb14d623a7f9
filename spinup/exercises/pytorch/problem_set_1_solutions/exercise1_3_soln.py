"""Solution of exercise 1.3: the package's own TD3, whose file is meant to be read."""

from spinup.algos.pytorch.td3 import pi_loss as pi_loss
from spinup.algos.pytorch.td3 import q_loss as q_loss
from spinup.algos.pytorch.td3 import target_action as target_action
from spinup.algos.pytorch.td3 import td_target as td_target
