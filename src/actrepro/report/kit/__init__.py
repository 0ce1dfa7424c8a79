"""Parts that the report's sections share."""
