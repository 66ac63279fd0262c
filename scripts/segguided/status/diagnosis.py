"""Why an attempt failed, in a few words, and what to do about it, in a sentence."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from segguided.status.run import Failure, Job
from segguided.status.tails import last_lines

TIME_OVER = "the job's time is nearly over"
SAVED = re.compile(rf"\b(SIG\w+|{TIME_OVER}): saved after step (\d+)")
SLURM_STATUS = re.compile(r"SLURM status is: '(\w+)'")
KILLED = "was killed by SIGKILL"  # what a training logs if one of its processes is killed
LINES = 15
# Lines of the Snakemake inside a SLURM job that say nothing new.
NOISE = re.compile(
    r"^(\[[A-Z]\w\w \w\w\w |    |Job \d+:|Reason:|RuleException|CalledProcessError|Command '|Error in rule|"
    r"Logfile|Shutting down|Exiting because|Storing output|Elapsed time|WorkflowError|At least one job|"
    r"Select jobs|Execute \d+|Building DAG|Using shell|Provided |Conda env|host:|Assuming|=+$|$|"
    r"srun: error: .*Exited with|Finished jobid|\d+ of \d+ steps|Config file|Complete log|Rules claiming|"
    r"Trying to restart)"
)


@dataclass(frozen=True)
class Diagnosis:
    """`kind` is a word that colours and tests use, `what` says what happened, `advice` what to do."""

    kind: str
    what: str
    advice: str


@dataclass(frozen=True)
class Evidence:
    """All that is known of a failed attempt."""

    rule: str
    message: str
    status: int | None
    log: str  # of the rule
    around: str  # of SLURM and of Snakemake inside it
    again: bool  # whether the job was or will be tried again

    @property
    def text(self) -> str:
        """Message and logs together."""
        return f"{self.message}\n{self.log}\n{self.around}"

    @property
    def slurm(self) -> str | None:
        """SLURM's word for how the job ended."""
        match = SLURM_STATUS.search(self.message)
        return match[1] if match else None


def evidence_of(job: Job, failure: Failure) -> Evidence:
    """What the journal holds of the attempt."""
    own = "\n".join(text for path, text in failure.logs.items() if path in job.logs)
    around = "\n".join(text for path, text in failure.logs.items() if path not in job.logs)
    status = failure.status
    statuses = re.findall(r"returned non-zero exit status (\d+)", around)
    if status is None and statuses:
        status = int(statuses[-1])
    again = job.state != "failed" or failure is not job.failures[-1]
    return Evidence(job.rule, failure.message or "", status, own, around, again)


def shown_lines(evidence: Evidence, lines: int = LINES) -> str:
    """The last lines of the rule's own log; if that is empty, of the logs of what ran it."""
    if evidence.log.strip():
        return last_lines(evidence.log, lines)
    informative = [line for line in evidence.around.splitlines() if not NOISE.match(line)]
    return last_lines("\n".join(informative), lines)


def diagnose(evidence: Evidence) -> Diagnosis:
    """The first explanation that fits."""
    diagnoses = (explain(evidence) for explain in _EXPLANATIONS)
    return next(diagnosis for diagnosis in diagnoses if diagnosis)


def _more(rule: str, resource: str) -> str:
    return f"--set-resources {rule}:{resource}=…"


def _refused(e: Evidence) -> Diagnosis | None:
    if "sbatch failed" not in e.message and "ubmission failed" not in e.message:
        return None
    reason = re.search(r"error message was '([^']*)'", e.message)
    said = f": {reason[1]}" if reason else ""
    return Diagnosis(
        "submission",
        "SLURM refused the job",
        f"sbatch said no{said}; check account, partition, QOS and the limits of the partition",
    )


def _saved(e: Evidence) -> Diagnosis | None:
    """A training that saved itself and stopped, because it was asked to."""
    match = SAVED.search(e.log)
    if not match:
        return None
    cause = match[1]
    step = match[2]
    if cause in ("SIGUSR1", TIME_OVER):
        what = f"time was up, saved at step {step}"
        advice = f"nothing is lost: {'the next attempt' if e.again else 'the same command'} continues there"
        return Diagnosis("time", what, advice)
    what = f"stopped ({cause}), saved at step {step}"
    return Diagnosis("cancelled", what, "nothing is lost: the same command continues there")


def _gpu_memory(e: Evidence) -> Diagnosis | None:
    if not re.search(r"OutOfMemoryError|(CUDA|HIP|XPU|MPS)[^\n]*out of memory", e.log):
        return None
    advice = "use a GPU with more memory, or a smaller micro_batch_size where the model has one"
    return Diagnosis("memory", "out of GPU memory", advice)


def _memory(e: Evidence) -> Diagnosis | None:
    certain = e.slurm == "OUT_OF_MEMORY" or re.search(
        r"oom.kill|Out Of Memory|MemoryError|can't allocate memory|Cannot allocate memory", e.text
    )
    if not certain and e.status not in (137, -9) and KILLED not in e.log:
        return None
    what = "out of memory" if certain else "killed (SIGKILL), most likely out of memory"
    advice = f"the same command with more: {_more(e.rule, 'mem_mb')}"
    if e.again:
        advice = (
            f"the next attempt asks for more where the profile scales memory; else {_more(e.rule, 'mem_mb')}"
        )
    return Diagnosis("memory", what, advice)


def _time(e: Evidence) -> Diagnosis | None:
    if e.slurm not in ("TIMEOUT", "DEADLINE") and "DUE TO TIME LIMIT" not in e.text and e.status != 124:
        return None
    return Diagnosis(
        "time",
        "ran into its time limit",
        f"a training continues from its last checkpoint; any other job needs {_more(e.rule, 'runtime')}",
    )


def _node(e: Evidence) -> Diagnosis | None:
    if e.slurm not in ("NODE_FAIL", "BOOT_FAIL") and "DUE TO NODE FAILURE" not in e.text:
        return None
    advice = (
        "not the job's fault: the same command runs it on another node, a training from its last checkpoint"
    )
    return Diagnosis("node", "its node failed", advice)


def _cancelled(e: Evidence) -> Diagnosis | None:
    if e.slurm == "PREEMPTED" or "DUE TO PREEMPTION" in e.text:
        advice = (
            "another job took its node; the same command runs it again, a training from its last checkpoint"
        )
        return Diagnosis("cancelled", "preempted", advice)
    cancelled = (e.slurm or "").startswith("CANCELLED") or re.search(r"(JOB|STEP) \S+ .*CANCELLED AT", e.text)
    if not cancelled and e.status not in (130, 143, -2, -15):
        return None
    advice = "someone stopped it; the same command runs it again, a training from its last checkpoint"
    return Diagnosis("cancelled", "cancelled", advice)


def _disk(e: Evidence) -> Diagnosis | None:
    if not re.search(r"No space left on device|Disk quota exceeded|no room to write", e.text):
        return None
    return Diagnosis(
        "disk", "the disk is full", "free some space, or raise the quota, then the same command again"
    )


def _sentence(e: Evidence) -> Diagnosis | None:
    """Bad input, which our scripts report in a sentence that says what to do."""
    errors = [line for line in e.log.splitlines() if line.startswith("error: ") and KILLED not in line]
    if not errors or e.status not in (1, None):
        return None
    return Diagnosis(
        "input", errors[-1].removeprefix("error: "), "fix what it names, then the same command again"
    )


def _environment(e: Evidence) -> Diagnosis | None:
    missing = re.search(r"No module named '?([\w.]+)|(\S+): command not found", e.text)
    if not missing:
        return None
    what = f"{missing[1] or missing[2]} is not installed where the job ran"
    return Diagnosis(
        "environment", what, "activate the environment before snakemake, on a disk that all nodes see"
    )


def _latency(e: Evidence) -> Diagnosis | None:
    if "MissingOutputException" not in e.text:
        return None
    advice = "a slow file system: raise --latency-wait; or the job wrote nothing, then see its log"
    return Diagnosis("files", "its output did not appear", advice)


def _gpu(e: Evidence) -> Diagnosis | None:
    error = re.search(r"^.*?((CUDA|NCCL|cuDNN|HIP) error[^\n]*|Uncorrectable ECC[^\n]*)", e.log, re.MULTILINE)
    if not error:
        return None
    avoid = f'--set-resources {e.rule}:slurm_extra="--exclude=NODE"'
    advice = f"if other nodes run it, this one's GPU is broken: avoid it with {avoid}"
    return Diagnosis("node", error[1].strip(), advice)


def _defect(e: Evidence) -> Diagnosis | None:
    if "Traceback (most recent call last)" not in e.log:
        return None
    errors = re.findall(r"^(\w[\w.]*(?:Error|Exception|Interrupt|Warning|Exit)\b.*)$", e.log, re.MULTILINE)
    what = errors[-1] if errors else "an error in the code"
    return Diagnosis(
        "defect", what, "a defect of this project, not of your data: please report it with this log"
    )


def _unknown(e: Evidence) -> Diagnosis:
    how = f"exit status {e.status}" if e.status is not None else (e.slurm or "no reason given").lower()
    silent = not shown_lines(e)
    what = f"failed without a word ({how})" if silent else f"failed ({how})"
    return Diagnosis("unknown", what, "see its log; the same command tries again")


_EXPLANATIONS: tuple[Callable[[Evidence], Diagnosis | None], ...] = (
    _refused,
    _saved,
    _disk,
    _gpu_memory,
    _sentence,
    _memory,
    _time,
    _node,
    _cancelled,
    _latency,
    _environment,
    _gpu,
    _defect,
    _unknown,
)
