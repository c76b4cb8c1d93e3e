"""The documented page as claims: one line each, in our words, with the check that it holds."""
