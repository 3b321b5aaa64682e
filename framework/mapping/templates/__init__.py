"""Templates: placeholders, Liquid and Jinja, each with its limits.

A template is parsed once, when the mapping is compiled, and lists the paths of the input that it
reads. The engines are imported when the first template needs them.
"""

from __future__ import annotations

from framework.errors import how_to_install
from framework.mapping.templates.placeholders import parse_placeholders
from framework.mapping.templates.rendering_bounds import Template, TemplateError

__all__ = ["Template", "TemplateError", "compile_jinja", "compile_liquid", "parse_placeholders"]


def compile_liquid(source: str) -> Template:
    """Compile a Liquid template.

    Raises TemplateError when it does not parse or is too long, and without the extra `liquid`.
    """
    try:
        from framework.mapping.templates.liquid import (  # noqa: PLC0415 - an extra
            parse_liquid,
        )
    except ModuleNotFoundError as error:
        raise TemplateError(
            f"needs the package `python-liquid` ({error}). Install it: {how_to_install('liquid')}"
        ) from None
    return parse_liquid(source)


def compile_jinja(source: str) -> Template:
    """Compile a Jinja template; raises TemplateError when it does not parse or is too long."""
    from framework.mapping.templates.jinja import (  # noqa: PLC0415 - heavy, at first use
        parse_jinja,
    )

    return parse_jinja(source)
