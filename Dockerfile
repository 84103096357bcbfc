# syntax=docker/dockerfile:1
# Untried with an engine: none was at hand where this was written. Every RUN and COPY below is carried out, in order and in
# a copy, by `node tools/docker/check.mjs`, which then starts what comes out of it.
#
#   docker build --build-arg COMMIT_SHA=$(git rev-parse HEAD) -t tartware .

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: they fetch the Node and the binaries that a bare checkout needs, and this image has its own Node.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ormconfig.ts ./
COPY migrations ./migrations
COPY src ./src
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional packages are PostgreSQL's binaries: an image names its servers.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-slim AS runtime
ARG COMMIT_SHA=unknown
LABEL org.opencontainers.image.title="Tartware" \
      org.opencontainers.image.description="Multi-tenant reservation platform for hospitality" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${COMMIT_SHA}" \
      org.opencontainers.image.licenses="UNLICENSED"
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=3000 \
    TARTWARE_HOME=/var/lib/tartware \
    COMMIT_SHA=${COMMIT_SHA}
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY bin ./bin
# Keys of tokens are read from here (AUTH_JWKS_FILE), and nothing else is written.
RUN mkdir -p /var/lib/tartware && chown node:node /var/lib/tartware
VOLUME /var/lib/tartware
USER node
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=6 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/readiness`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# APP_MODE=api or worker, with the addresses of their servers; `node bin/tartware.mjs …` is the command line.
# The flag of `npm start`: a smaller young generation keeps an API at about 200 MB.
CMD ["node", "--max-semi-space-size=8", "dist/src/main.js"]
