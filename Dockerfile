# The image of a node: docker build . -t wss
# Compiling needs everything, running only the production dependencies. Works with the classic builder too.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY libs libs
COPY apps apps
RUN node_modules/.bin/nest build gateway && find dist -name '*.map' -delete

FROM node:24-bookworm-slim AS dependencies
WORKDIR /src
COPY package.json package-lock.json ./
# Declarations, source maps and documents of the dependencies are for developers; licences stay.
RUN npm ci --omit=dev --no-audit --no-fund \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) \
    ! -iname 'licen[cs]e*' ! -iname 'notice*' -delete

FROM node:24-bookworm-slim
ENV NODE_ENV=production SERVER_PORT=3000
WORKDIR /app
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/package.json ./
COPY --from=build /src/dist dist
USER node
EXPOSE 3000
# Liveness, not readiness: a node that waits for Redis is to be left alone, a restart would cost it its clients.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.SERVER_PORT + '/health/live').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Not through npm or a shell: signals must reach the node itself.
CMD ["node", "dist/apps/gateway/src/main.js"]
