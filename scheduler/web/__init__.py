"""The dashboard: pages for people, over the very API that programs use.

inside.py    asks the API, in this process, as whoever is logged in: a page shows and does what the API lets them
session.py   log-in by cookie, CSRF
app.py       puts it together; errors as pages
assets.py    style and scripts
show.py      how times, durations and data are shown
changes.py   changes, and the page that says how each went
stars.py     stars in place of secrets
forms.py     forms out of JSON Schema, and back; filled.py: one that was filled in
<page>.py    one page or a few of one kind, beside templates of the same names in pages/

A page is a route that asks the API and fills a template; a change is a route that asks the API and says how it went.
To add one: a module with its routes, its templates, a line in app.py, and one in the navigation (pages/layout.html).
"""
