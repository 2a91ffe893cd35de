"""What every builder stands on: ownership of parameters, shapes, masks, arrays, log-space."""
