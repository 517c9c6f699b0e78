"""What deploy/ and docker-compose.yml say, held against the program that they run."""
