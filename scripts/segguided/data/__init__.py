"""From DICOM, NIfTI and NRRD volumes to 2-D slices, patient by patient."""
