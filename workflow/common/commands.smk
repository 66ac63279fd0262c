# What a command line is made of: the script, the digest of its code, and words that depend on values.

from segguided.planning.dependencies import digest


def script_file(name):
    """The path of scripts/<name>.py; stops at once where the file is missing."""
    path = Path("scripts", f"{name}.py")
    if not path.is_file():
        raise WorkflowError(f"{path} is missing, but a rule runs it; restore the file")
    return str(path)


def library(name, kind=None):
    """The digest of the code that scripts/<name>.py runs: the script and the library files that it imports.

    For a model of a `kind` without what is imported for other kinds alone.

    As a parameter it reruns exactly the jobs that changed code affects. The script is no input of its rule:
    then the edit of a comment would rerun the jobs too. As inputs, the two dozen library files of each patient's
    job would take most of the planning's time.
    """
    return digest(Path(script_file(name)), kind)


def library_by_kind(name):
    """The same as a parameter of each job, by the kind of the job's model."""

    def digest_for_the_model(wildcards):
        return library(name, CONFIG.trained(wildcards.model).kind)

    return digest_for_the_model


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def option(words, values):
    """The words of an option, then its values; nothing where there are no values.

    A list, so that `{params.NAME:q}` quotes each word of it: the configuration may hold what a shell acts on.
    """
    assert not isinstance(values, str), "a text would become a word for each letter"
    return [*words.split(), *values] if values else []


def option_with_lists(words, lists):
    """The same with `@LIST` for each list file, which stands for the lines of the file."""
    return option(words, [f"@{path}" for path in lists])
