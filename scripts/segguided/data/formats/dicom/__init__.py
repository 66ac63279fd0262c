"""DICOM: the files of a folder, read as one volume (series.py), placed in the patient by orientation.py."""
