# The study in a container, on CPUs and on NVIDIA GPUs, x86-64 and Arm: docs/running.md has the
# commands. The wheels of torch bring CUDA's libraries; of the machine they need the driver alone.
FROM python:3.11-slim-bookworm

# On Arm, the package index has torch for CPUs only; another index, named here, may have a build
# for CUDA. It counts as the newer of the two.
ARG TORCH_INDEX=""

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /opt/actrepro
COPY requirements.txt ./
RUN python -m pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --requirement requirements.txt

COPY LICENSE Snakefile ./
COPY config ./config
COPY envs ./envs
COPY profiles ./profiles
COPY resources ./resources
COPY rules ./rules
COPY src ./src
COPY workflow ./workflow

# Whoever runs it writes to no folder of the image's.
ENV HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/opt/actrepro/Snakefile"]
CMD ["--cores", "all", "--resources", "gpu=1"]
