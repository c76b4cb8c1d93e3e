"""The platform against its schema and the specification of GraphQL over HTTP: `nox -s contract`."""
