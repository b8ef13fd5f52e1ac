#!/usr/bin/env bash
# Put the tag before the present one, or the one that is named, back into service.
#   infra/rollback.sh [<tag>]
set -euo pipefail
cd "$(dirname "$0")"

present=$(tail -n 1 .deployed)
tag=${1:-$(grep -vxF "$present" .deployed | tail -n 1)}
[[ -n $tag ]] || { echo "There is no tag before $present." >&2; exit 1; }
docker image inspect "tomato:$tag" >/dev/null || { echo "tomato:$tag is not here any more." >&2; exit 1; }
exec ./deploy.sh "$tag"
