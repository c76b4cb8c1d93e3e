"""What a request may ask for, and the run that it becomes. Imports `state` and what is below it."""
