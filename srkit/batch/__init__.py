"""Files and folders of images: which are read, what is written for each, and the work on one."""
