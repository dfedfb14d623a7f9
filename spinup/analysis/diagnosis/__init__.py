"""Reading a run as an experienced eye would: what looks wrong, how one sees it, and what to try."""
