# The study in a container, on CPUs and NVIDIA GPUs, x86-64 and Arm; docs/running.md has the
# commands. Torch's wheels include CUDA's libraries, so the machine needs only the driver.
FROM python:3.11-slim-bookworm

# On Arm, the package index has torch for CPUs only. Set this to an index with a CUDA build;
# pip treats that build as the newer of the two.
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

# Any user can run the image: nothing is written to its folders.
ENV HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/opt/actrepro/Snakefile"]
CMD ["--cores", "all", "--resources", "gpu=1"]
