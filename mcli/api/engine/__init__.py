"""Another import path of the connection."""
