"""Whether this runs in a component, and what its world has."""

try:
    import componentize_py_types  # noqa: F401

    IN_COMPONENT = True
except ImportError:
    IN_COMPONENT = False


def missing(module):
    """The error of a component that was built without what `module` needs."""
    return ImportError(
        f"this component was built without what innkeeper.{module} needs: `plugin build` looks for "
        f"`from innkeeper import {module}` or `import innkeeper.{module}` in the project's own modules"
    )
