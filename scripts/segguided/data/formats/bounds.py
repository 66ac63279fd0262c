"""How much memory one patient may take: checked with the sizes in a file's header, before any allocation."""

LARGEST_VOLUME = 4 << 30  # bytes of a patient's voxels; a CT of 2,000 slices of 512×512 in float32 takes half


def refuse_huge(what: str, voxels: int, bytes_per_voxel: int) -> None:
    """Raise ValueError, beginning with `what`, when the voxels take more memory than a patient may."""
    size = voxels * bytes_per_voxel
    if size > LARGEST_VOLUME:
        raise ValueError(
            f"{what}: expected a volume of at most {LARGEST_VOLUME / 2**30:g} GiB, but the header states "
            f"{voxels:,} voxels, which take {size / 2**30:,.1f} GiB; get the file again if its header is "
            "wrong, else crop the volume or resample it to fewer voxels"
        )
