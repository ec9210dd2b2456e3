"""ASK and ENFORCE in Flask: the extension, the visitor's pages, and what templates and views use."""
