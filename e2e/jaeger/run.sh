#!/usr/bin/env bash
# run.sh [FLAGS...] runs Jaeger with its default configuration: it keeps traces in
# memory, and listens on localhost only, where port 4318 takes spans and 16686
# answers queries. FLAGS are Jaeger's, as in --set=KEY=VALUE, which changes the
# configuration. The first run builds it, which takes minutes. The program is the
# one that the tests use, without the UI: see build.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(go -C "$here" list -m -f '{{.Version}}' github.com/jaegertracing/jaeger)
program=${TRACE2X_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trace2x}/jaeger-${version#v}/jaeger
"$here/build.sh" "$program"
# By default it answers queries from other machines too.
exec "$program" \
  --set=extensions.jaeger_query.http.endpoint=localhost:16686 \
  --set=extensions.jaeger_query.grpc.endpoint=localhost:16685 \
  "$@"
