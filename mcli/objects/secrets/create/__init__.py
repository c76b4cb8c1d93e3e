"""Another import path of what makes secrets."""
