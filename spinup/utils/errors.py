"""A user's mistake: one clear sentence, no traceback."""

import difflib
import sys
from collections.abc import Iterable


class UserError(Exception):
    """A mistake a user can mend.

    Its message is one sentence that names the value, what was expected and what to do. The command line prints it
    and exits with status 2; in Python it is an ordinary exception.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Name the closest of ``known`` as a sentence to append (`` Did you mean 'ppo'?``), or return ``""``."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    if not near:
        return ""
    *rest, last = [repr(n) for n in near]
    return f" Did you mean {', '.join(rest) + ' or ' if rest else ''}{last}?"


def first_line(error: Exception) -> str:
    """What an exception says, without the full stop and what follows the first line; its name if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def exit_on_user_error(main, argv: list[str] | None = None) -> None:
    """Call ``main(argv)``; a :class:`UserError` becomes one line on stderr and exit status 2.

    Where several processes run it together, the end of one by any error is that of all.
    """
    try:
        main(argv)
    except (UserError, SystemExit, KeyboardInterrupt) as end:
        from spinup.utils.mpi_tools import end_job, let_first_speak  # here, as it raises UserErrors itself

        if not isinstance(end, UserError):
            end_job(end)
            raise
        let_first_speak()
        print(f"error: {end}", file=sys.stderr)
        end_job(2)
        raise SystemExit(2) from None
