# Worker image: runs queued jobs of a campaign against the MongoDB in SCREEN_MONGODB_URI.
FROM python:3.11-slim

# cpu: PyTorch without CUDA.  A GPU is not seen while an image is built: name its build, say cu128.
ARG TORCH=cpu
ARG TORCH_VERSION=2.13.0

WORKDIR /opt/matscreen
RUN pip install --no-cache-dir uv
# PyTorch first and in a layer of its own: it is the largest part and changes least.
RUN uv pip install --system --no-cache --torch-backend=${TORCH} torch==${TORCH_VERSION}
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY configs configs
COPY screening screening
COPY workflows workflows
# The lock constrains versions; what only development or the embedded server needs stays out.
RUN uv pip install --system --no-cache --torch-backend=${TORCH} \
    --constraint requirements.lock ".[sevennet,chgnet]"

RUN useradd --create-home worker && mkdir /data && chown worker /data
USER worker
WORKDIR /data
ENV SCREEN_DIRECTORY=/data
ENTRYPOINT ["screen"]
CMD ["work"]
