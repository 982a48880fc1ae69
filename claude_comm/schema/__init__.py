"""The schema algebra: can every message that one module sends be accepted by another?"""

from claude_comm.schema.check import check
from claude_comm.schema.verdict import Compatible, Incompatible, Reason, Undecided, Verdict

__all__ = ["Compatible", "Incompatible", "Reason", "Undecided", "Verdict", "check"]
