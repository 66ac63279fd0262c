# Not built where it was written: workflow/docs/containers.md.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /segguided
COPY envs/requirements.txt envs/requirements.txt
RUN python -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --requirement envs/requirements.txt
ENV PATH=/segguided/.venv/bin:$PATH

COPY . .
RUN pip install --no-index --no-deps --no-build-isolation --editable .
# After the copy: the pins may be dated later than a cached layer, and make would install them again.
RUN touch .venv/.installed
CMD ["make", "help"]
