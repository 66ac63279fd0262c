# What a job asks of the machine that runs it, none of which reruns anything; and jobs that a killed run left there.

from snakemake.settings.types import DAGSettings

from segguided.status.leftovers import refusal


def growing(amount, most=3):
    """Memory in MB, or minutes: `amount`, twice that on a second attempt, at `most` times as much.

    A second attempt may follow a lack of either.
    """

    def scaled(wildcards, attempt):
        return amount * min(attempt, most)

    return scaled


def in_turn(wildcards):
    """1 where jobs go to a cluster: workflow/profiles/default allows 1 in each group.

    Members of a group run one after the other; so this makes Snakemake ask for the memory of one of them and for the
    time of all. On one machine they need not wait for each other.
    """
    if (
        workflow.remote_exec
    ):  # Snakemake passes no --keep-going to a group, where a broken patient should stop no other
        workflow.execution_settings.keep_going = True
    return int(not workflow.local_exec)


def compare_by_content():
    """Let Snakemake compare inputs above 1 MB by content too, where workflow/profiles/default was left out.

    To be called from an input function, as `go_on_in_a_group`: there the settings are, and no job is compared yet.
    """
    for holder in (workflow.dag, workflow.persistence):
        if holder.max_checksum_file_size == DAGSettings.max_checksum_file_size:
            holder.max_checksum_file_size = sys.maxsize


def go_on_in_a_group():
    """Let a broken patient stop no other of its group: Snakemake passes --keep-going to no job.

    To be called from an input function: before these, a job's Snakemake has no settings yet; after them it is too late.
    """
    if workflow.remote_exec and workflow.execution_settings:
        workflow.execution_settings.keep_going = True


def refuse_leftovers():
    """Stop where jobs of a Snakemake that was killed still run in this folder."""
    try:
        reason = refusal(Path.cwd())
    except OSError as error:
        if workflow.local_exec:  # no matter: this run asks nothing of SLURM
            return
        reason = str(error)
    if reason:
        raise WorkflowError(reason)
