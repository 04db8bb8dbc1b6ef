# One image for the five daemons and the command line. If no registry can be reached,
# tests/compose/base-image.sh makes a BASE.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
WORKDIR /src
COPY tools/deps.sh tools/
RUN tools/deps.sh run
COPY . .
RUN make -j"$(nproc)" all && make install DESTDIR=/out PREFIX=/usr/local

FROM ${BASE}
RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        libzmq5 libczmq4 libsqlite3-0 libmsgpackc2 libcurl4 libpq5 libarchive13 zlib1g liblzma5 \
        libzstd1 libnettle8 libjansson4 libmd4c0 libpcre2-8-0 libmicrohttpd12 tzdata ca-certificates \
        >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && useradd --system --no-create-home --home-dir /data --uid 10001 --user-group \
            --shell /usr/sbin/nologin convkeep \
 && install -d -o convkeep -g convkeep -m 700 /data
COPY --from=build /out/ /
ENV CONVKEEP_DATA=/data
USER 10001:10001
WORKDIR /data
# A new volume takes the owner and mode of this folder.
VOLUME /data
CMD ["convkeep", "--help"]
