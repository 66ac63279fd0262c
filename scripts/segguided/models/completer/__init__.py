"""The mask completer: its shares of classes, network and training."""
