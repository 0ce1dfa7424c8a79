"""The same runs made elsewhere, and studies published in small form."""
