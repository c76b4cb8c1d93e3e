"""The machinery below the nouns: calls, connections, retries, subscriptions. Imports values, never nouns."""
