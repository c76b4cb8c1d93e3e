"""Another import path of what the platform answers with."""
