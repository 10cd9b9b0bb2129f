# The service on a Postgres of its own (DATABASE_URL); docs/operations.md shows how to run it.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without the optional packages, which bring Node and the embedded Postgres: the image has Node, and needs DATABASE_URL.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && rm package-lock.json .npmrc
COPY bin bin/
COPY gen gen/
COPY src src/
# A checkout may be closed to other users.
RUN chmod -R a+rX .

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=build /app ./
# The allocator's variables and V8's flags are those of `npm start`; docs/benchmarks.md has what they are worth.
ENV NODE_ENV=production
ENV STELE_LISTEN=0.0.0.0:50051
ENV MALLOC_ARENA_MAX=1
ENV MALLOC_MMAP_THRESHOLD_=131072
# The user "node" of the base image, by its number, so that Kubernetes knows that it is not root.
USER 1000:1000
EXPOSE 50051
HEALTHCHECK --interval=30s --timeout=5s --start-period=40s CMD ["node", "/app/bin/stele.mjs", "health"]
ENTRYPOINT ["node", "--max-semi-space-size=4", "--expose-gc", "/app/bin/stele.mjs"]
CMD ["serve"]
