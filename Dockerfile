# The programs of docker-compose.yml, one target each: worker, starter (also setup and inbox), backend.
# UID and GID are who they run as; with those of your files and secrets they need no other rights.

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOTOOLCHAIN=local go build -trimpath -ldflags='-s -w' -o /out/ ./worker ./starter ./backend/cmd/backend

# Alpine is there for its wget, which asks for health.
FROM alpine:3.24.1 AS small
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ARG UID=1000
ARG GID=1000
# A new volume takes the owner over from here.
RUN install -d -m 700 -o "${UID}" -g "${GID}" /var/lib/convilyn-state
USER ${UID}:${GID}

FROM small AS worker
COPY --from=build /out/worker /usr/local/bin/
ENTRYPOINT ["worker"]

FROM small AS starter
COPY --from=build /out/starter /usr/local/bin/
ENTRYPOINT ["starter"]

FROM debian:12.14-slim AS backend
# Liberation, Carlito and Caladea have the measures of the fonts that office documents name; without Noto, Chinese, Japanese,
# Korean and emoji come out as boxes or not at all. ENGINES are further packages of docs/engines.md, such as "pandoc ffmpeg".
ARG ENGINES=
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates curl \
        libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui libreoffice-math-nogui \
        fontconfig fonts-dejavu-core fonts-liberation fonts-crosextra-carlito fonts-crosextra-caladea \
        fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji ${ENGINES} \
    && rm -rf /var/lib/apt/lists/*
ARG UID=1000
ARG GID=1000
RUN install -d -m 700 -o "${UID}" -g "${GID}" /var/lib/convilyn
COPY --from=build /out/backend /usr/local/bin/
USER ${UID}:${GID}
ENTRYPOINT ["backend"]
