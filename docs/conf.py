"""How Sphinx builds the site: `make docs`, or `python -m sphinx -W -b html docs build/site`.

Law: the site works from a folder, without a network: no script, font or image of it comes from elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from claude_comm.version import __version__

project = "claude-comm"
author = "The claude-comm authors"
copyright = author
version = release = __version__

extensions = ["myst_parser"]
exclude_patterns: list[str] = []
# Anchors of headings, as the pages on a code host have them: `concepts.md#on-a-cluster`.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_title = f"claude-comm {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
# Summaries of results are fetched, which a browser does not allow from a folder.
html_show_search_summary = False
# Highlighting a listing that is no code would warn.
highlight_language = "none"
