"""Reports of a session or of a time: figures out of the projection, written as a page, as Markdown or as JSON.

Law: pure. `figures` says what a report holds, the writers turn it into text; nothing here reads a database or a clock.
"""
