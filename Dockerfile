# syntax=docker/dockerfile:1
# The operator's image: a virtual environment of locked dependencies and the project's wheel, without a compiler, pip or
# the sandbox's dependencies. tests/unit/packaging runs these steps and this entry point, as a non-root user with a tree
# that it cannot write; a step that is added here without being known there fails those tests.

# The version that the tests run on; the locks hold for any from 3.11 on.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
COPY requirements-build.lock requirements-runtime.lock ./
RUN python -m venv /opt/build && \
    /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
# pip compiles what it installs: at run time nothing could write __pycache__.
RUN python -m venv --without-pip /opt/sluice && \
    /opt/build/bin/pip --python /opt/sluice/bin/python install --no-cache-dir --require-hashes -r requirements-runtime.lock
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY tools/controlplane tools/controlplane
COPY tools/helm tools/helm
COPY operator operator
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . && \
    /opt/build/bin/pip --python /opt/sluice/bin/python install --no-cache-dir --no-index --no-deps --find-links /dist sluice-operator

FROM python:${PYTHON_VERSION}-slim
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="Runs Amazon ECS from Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/sluice /opt/sluice
ENV PATH=/opt/sluice/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that the kubelet's runAsNonRoot can be checked; the chart uses the same.
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["sluice"]
CMD ["operator"]
