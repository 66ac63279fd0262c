"""What is drawn in masks before an image: free classes, and tissues."""
