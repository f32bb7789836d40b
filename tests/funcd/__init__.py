"""What the end-to-end tests share: the server under test, a raw HTTP client, guests, waiting."""
