"""What makes `generated/` from `schema/` and `codegen/operations/`."""
