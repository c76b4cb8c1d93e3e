"""What the platform remembers: runs, users, secrets, events. Imports `scheduling` and what is below it."""
