"""DICOM: a folder of files read as one volume."""
