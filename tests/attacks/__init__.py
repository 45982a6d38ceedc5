"""What hostile and odd programs try, and the verdict each must get."""
