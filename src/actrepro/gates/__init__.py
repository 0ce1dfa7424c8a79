"""Gates: what must hold before and after training for a number to count."""
