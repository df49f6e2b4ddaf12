"""Images: reading, writing, planes, colour and resizing."""
