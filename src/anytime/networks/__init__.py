"""Pure torch modules: encoders, decoders and sequence models. They know nothing of files, data sets or progress bars."""
