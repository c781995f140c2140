"""The report as one HTML file that needs nothing else: no server, no network, no other file."""

from reports.page.document import render_page

__all__ = ["render_page"]
