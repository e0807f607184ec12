"""What is durable beside the changes of a company: replies by idempotency key, last use of keys, last logins."""
