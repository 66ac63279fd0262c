# Sets generated in shards: `--set-scatter generation=8` generates each set in eight jobs and gathers their files.


scattergather:
    generation=1,


SHARDS = len(gather.generation("{scatteritem}"))
if not SHARDS:
    raise WorkflowError("--set-scatter generation=0: expected 1 or more shards a set")


def by_shard(path):
    """The path of one shard's file, in a folder of the shard's name; the path itself where there is one shard."""
    if SHARDS == 1:
        return path
    folder, name = path.rsplit("/", 1)
    return f"{folder}/{{scatteritem}}/{name}"


def generated_set(path):
    """An output that is a set of generated images; the file of a shard is deleted when it has been gathered."""
    return path if SHARDS == 1 else temp(by_shard(path))
