"""The lab: the deployment zrep works for, as virtual machines. See README.md."""

from lab.errors import BootFailed, CommandFailed, LabError
from lab.ledger import Verdict, judge
from lab.node import Node
from lab.world import World

__all__ = ["BootFailed", "CommandFailed", "LabError", "Node", "Verdict", "World", "judge"]
