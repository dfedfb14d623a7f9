"""Grader of exercise 2.1: fitting the value function of TRPO. What is printed was measured: bench/results."""

from spinup.exercises.exercise import Exercise, choice

TEXT = """\
TRPO fits its value function by train_v_iters gradient steps in each epoch, and estimates advantages with it.

1. Predict: with 0 of these steps instead of 80, what happens to the learning curve on Hopper, and why?

2. Run it (six runs of about eight minutes), and look:

     python -m spinup.run trpo --env Hopper-v5 "--train_v_iters[v]" 0 80 --exp_name ex2-1 --epochs 250 \\
         --steps_per_epoch 4000 --seed 0 10 20 --jobs auto
     python -m spinup.run plot data/ex2-1 --smooth 5

   or read what we measured. Average return, three seeds each (the figure is bench/results/exercise2_1.png):

     steps            200,000         400,000           600,000            800,000          1,000,000
     v = 0        296 322 256     318 366 359       343 358 385        347 358 377        346 357 369
     v = 80       681 382 344   1110 618 661     1814 1080 908     1879 1618 1618     2130 1718 1572

3. Explain. Which of these is the reason?"""

EXERCISE = Exercise(
    title="Fitting the value function of TRPO",
    minutes=30,
    difficulty=1,
    question=choice(
        TEXT,
        "c",
        {
            "a": (
                "Without a baseline the policy gradient points in a wrong direction on average.",
                "A baseline b(o) changes no mean: E[grad log pi(a|o) b(o)] = 0. Something else about the estimate "
                "becomes worse.",
            ),
            "b": (
                "TRPO's trust region is computed from the value function, so its steps become too large.",
                "The trust region bounds the KL divergence of the *policy*; V does not enter it. The size of a step is "
                "the same with v = 0.",
            ),
            "c": (
                "The advantages say little about actions: much of each is the return that any action would have had.",
                "A value function that fits takes away what does not depend on the action, and only then does the rest "
                "show which actions were better than expected. With a random one, the advantages of long episodes and "
                "of late steps differ by their length, not by the actions, which is noise; and since GAE with lam < 1 "
                "bootstraps from it too, rewards beyond some 25 steps, 1 / (1 - gamma lam), are hardly seen, which is "
                "bias. The policy learns not to fall at once, and gets stuck. These runs do not tell which of the two "
                "costs more.",
            ),
            "d": (
                "The agent acts by its value function, which is random, so it moves at random.",
                "It acts by its policy. The value function only judges, and only during training.",
            ),
            "e": (
                "80 gradient steps also train the policy, since both networks share their layers.",
                "They share none: policy and value function are separate networks here.",
            ),
            "f": (
                "It is chance: three seeds show nothing.",
                "Three seeds are few, but all three with v = 0 stay below 400 while the worst with v = 80 reaches "
                "1572. A difference many times the spread needs few seeds; exercise 3.5 has a harder case.",
            ),
        },
    ),
)
