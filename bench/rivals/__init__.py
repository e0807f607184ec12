"""What Deskroster is measured against: servers that answer the same requests in another way."""
