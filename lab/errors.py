"""What can go wrong in the lab, each with the next step for the person at the keyboard."""

from collections.abc import Sequence


class LabError(Exception):
    """Says what happened and, in `hint`, what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n  next: {self.hint}" if self.hint else text


class CommandFailed(LabError):
    """A command on a node ended with another exit code than 0."""

    def __init__(self, *, node: str, command: str, code: int, stderr: str) -> None:
        super().__init__(f"{node}: exit code {code} from: {command}\n{tail(stderr)}".rstrip())
        self.code = code
        self.stderr = stderr


class BootFailed(LabError):
    """A machine ended, or did not answer in time."""


def tail(text: str, lines: int = 25) -> str:
    """The last lines of a log, indented to stand below a message."""
    last: Sequence[str] = text.rstrip().splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in last)
