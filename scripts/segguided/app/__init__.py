"""What people call: a trained model's folder, images for their own masks."""
