"""Fine-tuning: trained weights put into a network for other classes."""
