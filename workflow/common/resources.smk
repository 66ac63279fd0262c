# What a job asks of the machine that runs it: resources rerun nothing when they change.

from snakemake.settings.types import DAGSettings

from segguided.status.leftovers import refusal

# Whether GPUs use deterministic kernels: a resource and no parameter, because another value makes nothing again.
DETERMINISTIC = int(CONFIG.deterministic)
# Whether networks are compiled, as --compile takes it; a resource for the same reason.
COMPILE = {False: 0, True: 1, "auto": 2, "channels_last": 3}[CONFIG.compile]


def more_each_attempt(amount, most=3):
    """A resource in MB or minutes: `amount`, at the second attempt twice as much, at most `most` times as much.

    A job may have failed because it had too little memory or time.
    """

    def scaled(wildcards, attempt):
        return amount * min(attempt, most)

    return scaled


def one_by_one(wildcards):
    """1 where jobs go to a cluster, where workflow/profiles/default allows 1 in each group of jobs.

    The jobs of a group run one after another. This makes Snakemake ask for the memory of one of them and for the
    time of all. On one machine they need not wait for each other.
    """
    keep_going_in_groups()
    return int(not workflow.local_exec)


def compare_by_content():
    """Let Snakemake compare inputs above 1 MB by content too, where workflow/profiles/default was left out.

    Call it, like `keep_going_in_groups`, from an input function: Snakemake has read its settings then, and has not
    compared any file.
    """
    for holder in (workflow.dag, workflow.persistence):
        if holder.max_checksum_file_size == DAGSettings.max_checksum_file_size:
            holder.max_checksum_file_size = sys.maxsize


def keep_going_in_groups():
    """Let a broken patient stop no other patient of its group: Snakemake passes no --keep-going to a group's job.

    Before the input functions, the Snakemake of a job has no settings yet; after them it is too late.
    """
    if workflow.remote_exec and workflow.execution_settings:
        workflow.execution_settings.keep_going = True


def refuse_leftovers():
    """Stop where jobs of a killed Snakemake still run in this folder."""
    try:
        reason = refusal(Path.cwd())
    except OSError as error:
        if workflow.local_exec:  # this run needs no SLURM
            return
        reason = str(error)
    if reason:
        raise WorkflowError(reason)
