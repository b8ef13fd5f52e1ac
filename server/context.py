"""For whom and for what a task works: the ids that its log lines bear; knows nothing else."""

from contextvars import ContextVar

LOCAL_USER = "local"
"""The id of the one user who needs no session."""

request_id_now: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered here, or that began the run."""

run_id_now: ContextVar[str | None] = ContextVar("run_id", default=None)
"""The id of the run that is carried out here, or that the request began."""

uid_now: ContextVar[str | None] = ContextVar("uid", default=None)
"""The id of the user for whom it is."""
