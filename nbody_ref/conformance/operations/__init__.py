"""What the kit can judge: operations, their cases, and readers of other libraries' descriptions."""
