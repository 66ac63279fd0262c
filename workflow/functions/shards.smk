# Sets drawn in shards: `--set-scatter generation=8` draws each in eight jobs and gathers it. Without, one job does.


scattergather:
    generation=1,


SHARDS = len(gather.generation("{scatteritem}"))
if not SHARDS:
    raise WorkflowError("--set-scatter generation=0: expected 1 or more shards a set")


def of_shard(path):
    """A file of a rule that draws sets, by shard where there are several."""
    folder, name = path.rsplit("/", 1)
    return path if SHARDS == 1 else f"{folder}/{{scatteritem}}/{name}"


def drawn(path):
    """A set; a shard of it is deleted when it has been gathered."""
    return path if SHARDS == 1 else temp(of_shard(path))


def shard_argument(wildcards):
    item = wildcards.get("scatteritem")
    return optional("--shard", [item] if item else [])


def sharded_models():
    """The models whose sets are gathered: all that draw, or none at all."""
    kinds = {model.kind for model in CONFIG.models.values()} if SHARDS > 1 else {}
    return models_of(*kinds)
