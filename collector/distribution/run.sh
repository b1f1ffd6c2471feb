#!/usr/bin/env bash
# run.sh [FLAGS...] runs the Collector of this folder with config.yaml. FLAGS are the
# Collector's, as in --set=KEY=VALUE, which changes the configuration. The first run
# builds it, which takes some minutes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${TRACE2X_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trace2x}/otelcol/otelcol
"$here/build.sh" "$program"
exec "$program" --config="$here/config.yaml" "$@"
