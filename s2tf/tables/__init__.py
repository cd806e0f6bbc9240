"""Tables of users and of results, and the names of files in them."""
