"""Gates: conditions before and after training for a number to count."""
