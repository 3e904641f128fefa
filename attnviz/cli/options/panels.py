"""The groups of options in a help text."""

INPUT, MODEL, SELECT, VIEW, OUTPUT = "Input", "Model", "Selection", "View", "Output"
PICTURE = "Picture"
NONE = ""  # flags take no value; typer would write <bool>
