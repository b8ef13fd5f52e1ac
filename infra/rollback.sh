#!/usr/bin/env bash
# Put the tag before the present one, or the one that is named, back into service. The present one
# does not count as deployed any more: the next rollback goes further back.
#   infra/rollback.sh [<tag>]
set -euo pipefail
cd "$(dirname "$0")"

present=$(tail -n 1 .deployed)
tag=${1:-$(grep -vxF -- "$present" .deployed | tail -n 1 || true)}
[[ -n $tag && $tag != "$present" ]] || { echo "There is no tag before $present." >&2; exit 1; }
docker image inspect "tomato:$tag" >/dev/null || { echo "tomato:$tag is not here any more." >&2; exit 1; }
./deploy.sh "$tag"
grep -vxF -- "$present" .deployed >.deployed.new
mv .deployed.new .deployed
