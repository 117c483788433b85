# The book's notebooks in JupyterLab, with exactly the packages of requirements.lock.
#
#   docker build -t pixels .                                      torch for CPU
#   docker build -t pixels --build-arg TORCH_BACKEND=cu130 .      torch with CUDA 13.0, larger
#   docker run --rm -p 127.0.0.1:8888:8888 pixels                 (CUDA: add --gpus all)
#
# TORCH_BACKEND chooses among the builds of the one torch version in the lock: cpu, cu130, ...
FROM python:3.11-slim-bookworm

ARG TORCH_BACKEND=cpu

# OpenGL without a screen (EGL, then OSMesa), and what `make` and provenance use.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libegl1 libgl1-mesa-dri libosmesa6 git make \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 reader
WORKDIR /home/reader/pixels-no-cheating
RUN chown reader:reader . && python -m venv /opt/venv && chown -R reader:reader /opt/venv
ENV VIRTUAL_ENV=/opt/venv \
    PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
USER reader

# pip cannot choose a build of torch by name; uv can. The lock changes seldom: a layer of its own.
COPY --chown=reader:reader requirements.lock ./
RUN python -m pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --no-cache --torch-backend "$TORCH_BACKEND" -r requirements.lock

COPY --chown=reader:reader . .
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation -e .

EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
