"""The paper's figures, drawn from records and their artefacts: `draw.render_figures`."""
