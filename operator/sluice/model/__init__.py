"""The nouns: frozen dataclasses shared by planning, observing, applying and controlling. No I/O."""
