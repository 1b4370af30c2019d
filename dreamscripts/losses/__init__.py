"""What a dream maximises and penalises: terms, each with its formula in sight."""
