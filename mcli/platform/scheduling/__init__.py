"""Who starts, who waits and why, who is preempted: pure functions. Imports `errors` and `clock` only."""
