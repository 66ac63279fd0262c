# Parameters of the rules that generate an image for each mask.


def shard_argument(wildcards):
    shard = wildcards.get("scatteritem")
    return option("--shard", [shard] if shard else [])


def models_in_shards():
    """The models whose shards are gathered: those of the grid, or none where sets have no shards."""
    return one_of(CONFIG.grid.models if SHARDS > 1 else [])
