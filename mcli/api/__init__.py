"""Import paths of programs that were written for other clients of the platform; `mcli` has all names."""
