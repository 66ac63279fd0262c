"""The figures' blocks, panels, fonts and colours."""
