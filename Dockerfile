# Two images of one build: `--target api` (no engine, no compiler) and `--target worker` (with oneDNN).

FROM node:22-bookworm-slim AS build
WORKDIR /app
# CUDA's part of ONNX Runtime would be a download of its own
ENV ONNXRUNTIME_NODE_INSTALL=skip
RUN apt-get update \
  && apt-get install -y --no-install-recommends g++ make cmake libdnnl-dev \
  && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json ./
RUN npm ci --no-fund --no-audit
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY workers workers
RUN node scripts/build.mjs
COPY native native
# a binary that runs on every CPU of the last ten years; oneDNN picks its own kernels by the CPU it meets
RUN case "$(dpkg --print-architecture)" in amd64) march=x86-64-v3 ;; *) march=armv8-a ;; esac \
  && ONECYCLE_MARCH="$march" node native/build.mjs
RUN npm prune --omit=dev --no-fund --no-audit

FROM node:22-bookworm-slim AS base
ENV NODE_ENV=production DATA_DIR=/data
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
VOLUME /data

FROM base AS api
ENV HOST=0.0.0.0 PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=3s --retries=12 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3000/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/src/server.js"]

FROM base AS worker
USER root
RUN apt-get update \
  && apt-get install -y --no-install-recommends libdnnl2 libgomp1 \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/native/build/onecycle_native.node native/build/onecycle_native.node
USER node
CMD ["node", "dist/workers/main.js"]
