"""The command line: one file for each command, and the grammar that they share."""

COMMANDS = {  # each is main() of the file of its name; training is named by the algorithm
    "plot": "draw learning curves from the results of experiments",
    "diagnose": "say in plain words what looks wrong in the log of a run, and what to try",
    "test_policy": "watch, measure or film a trained agent",
    "convert": "write a trained agent in the format of another backend",
    "exercise": "list the exercises of the course, start one, or check an answer",
    "probe": "train on tiny environments that show which part of an algorithm is broken",
    "resume": "continue interrupted runs from their last checkpoints",
    "rerun": "run the experiment of a config.json again, with changed settings",
}
