"""What is known of models: by which names they tell of heads, layers, projections, sinks."""
