# The image of a node: docker build . -t wss
# Compiling needs everything, running only the production dependencies. Works with the classic builder too.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY libs libs
COPY apps apps
COPY scripts scripts
RUN node_modules/.bin/nest build gateway && node scripts/page-build.mjs dist && find dist -name '*.map' -delete

FROM node:24-bookworm-slim AS dependencies
WORKDIR /src
COPY package.json package-lock.json ./
# Sources, declarations, source maps and documents of the dependencies are for developers; licences stay.
RUN npm ci --omit=dev --no-audit --no-fund \
  && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.md' \) \
    ! -iname 'licen[cs]e*' ! -iname 'notice*' -delete

FROM node:24-bookworm-slim
# A container is reached over its network, whatever the admission.
ENV NODE_ENV=production SERVER_HOST=0.0.0.0 SERVER_PORT=3000
WORKDIR /app
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/package.json ./
COPY --from=build /src/dist dist
USER node
EXPOSE 3000
# Liveness, not readiness: a node that waits for Redis is to be left alone, a restart would cost it its clients.
# Patient and without a second Node process, because a busy machine must not lose nodes to their check.
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s --retries=6 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$SERVER_PORT && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
# Not through npm or a shell: signals must reach the node itself.
CMD ["node", "dist/apps/gateway/src/main.js"]
