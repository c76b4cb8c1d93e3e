"""From a run that was given its nodes to processes, and back to an outcome. Imports `submission` and below."""
