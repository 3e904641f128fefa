"""The options every command shares, declared once: a module for each group of a help text."""

from attnviz.cli.options.input import *  # noqa: F403
from attnviz.cli.options.model import *  # noqa: F403
from attnviz.cli.options.output import *  # noqa: F403
from attnviz.cli.options.panels import *  # noqa: F403
from attnviz.cli.options.picture import *  # noqa: F403
from attnviz.cli.options.selection import *  # noqa: F403
from attnviz.cli.options.view import *  # noqa: F403
