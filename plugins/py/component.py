"""The entry of the component: it exports the tools of plugin.py."""

import plugin
from toolhatch_plugin import component

Tools = component(plugin)
