"""The pieces of the report's page: what is shown of a run, how it is packed, and the page itself.

`page.html`, `page.css` and `page.js` are the template, the style and the script that go into it.
"""
