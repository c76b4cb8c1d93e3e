"""Import paths of programs that were written for other clients of the platform; `mcli` has all names."""

TYPE_CHECKING = False  # as in `mcli`
if not TYPE_CHECKING:  # checkers want `import mcli.api.runs`, and are right

    def __getattr__(name: str) -> object:
        try:
            return __import__(f"{__name__}.{name}", fromlist=(name,))
        except ModuleNotFoundError as error:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from error
