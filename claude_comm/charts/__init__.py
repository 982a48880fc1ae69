"""Charts as SVG text, for reports and the dashboard.

Law: pure. A chart is a function from values to one `<svg>` element; every text is escaped; colours and sizes of type
come from the classes of `style.CSS`, so that a page decides about light, dark and print. Nothing needs a script: each
mark carries its value in a `<title>`, which browsers show under the pointer and screen readers read.
"""
