"""The authorization server on the web: machine endpoints, pages, and the edge before both."""
