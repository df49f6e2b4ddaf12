"""ncnn models: a .param file of layers, and a .bin file of their weights."""
