"""GraphQL over HTTP and websockets. Imports `execution` and what is below it."""
