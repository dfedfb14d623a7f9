"""The command line: one file a command, and the grammar they share."""

COMMANDS = {  # each is main() of the file of its name; training has no name but that of the algorithm
    "plot": "draw learning curves from the results of experiments",
    "test_policy": "watch, measure or film a trained agent",
    "convert": "write a trained agent in the format of another backend",
    "resume": "continue runs that were interrupted",
    "rerun": "run the experiment of a config.json again, with changed settings",
}
