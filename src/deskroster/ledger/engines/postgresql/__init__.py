"""The PostgreSQL engine: any number of processes on one database."""
