"""The one exception that a reader at the command line may meet."""

from __future__ import annotations


class UserError(Exception):
    """Something the reader can mend: a wrong flag, a missing file, a damaged artifact, no GL.

    The message is one line: what is wrong, then what to do. The program ``pixels`` prints it on
    standard error and exits with code 2.
    """
