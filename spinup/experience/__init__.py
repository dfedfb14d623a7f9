"""What an agent sees and remembers: environments, evaluation, buffers."""
