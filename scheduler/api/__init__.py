"""The REST API: HTTP only. What is asked goes to the store, what is wrong comes back as a problem."""
