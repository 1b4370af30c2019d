"""What the studio keeps in its folder: photographs, looks, the history, the trash."""
