"""Pictures: the one way to make a sheet of images, an animation, a plot."""
