"""SLURM's own daemons die and come back: alone on the cluster, since jobs that begin or end then are lost."""

from support.on_cluster import assert_as_undisturbed, finish, in_training


def test_daemons_that_die_and_come_back_disturb_nothing(cluster, untrained, reference):
    running, _ = in_training(cluster, untrained)
    cluster.script("restart", "slurmd", "2")
    cluster.script("restart", "slurmctld", "5")
    finish(running, untrained)
    assert_as_undisturbed(untrained, reference)
