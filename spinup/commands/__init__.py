"""The command line, one file a command, and the grammar they share."""
