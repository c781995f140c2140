"""The paper's figures, drawn from records and their artefacts; ``draw.draw`` is the way in."""
