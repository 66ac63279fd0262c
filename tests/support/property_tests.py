"""What the property tests of the file formats share: their settings, and how many files may be refused."""

from hypothesis import HealthCheck, settings

MOST_REFUSED = 0.02  # share of the valid files
# The same examples in every run, however long one takes.
SAME_EXAMPLES = settings(
    derandomize=True,
    deadline=None,
    max_examples=550,
    suppress_health_check=list(HealthCheck),
    database=None,
)
