#!/usr/bin/env bash
# Build (or take) the image of one tag and put it into service; the tag before it is kept for
# rollback.sh. Only this project's own old images and containers are ever removed.
#   infra/deploy.sh <tag>
set -euo pipefail
cd "$(dirname "$0")"

tag=${1:?usage: infra/deploy.sh <tag>}
kept=${KEEP_IMAGES:-5}
compose=(docker compose -f compose.yaml -f compose.prod.yaml)

secret() { # secret <name> <command that makes it>
    [[ -e secrets/$1 ]] || (umask 077 && "${@:2}" >"secrets/$1")
}

# Compose hands files over with the rights they have here; the folder keeps everybody else out.
mkdir -p secrets && chmod 700 secrets
secret mongodb_key openssl rand -base64 512
secret mongodb_password openssl rand -hex 24
secret redis_password openssl rand -hex 24
secret mongodb_url printf 'mongodb://tomato:%s@mongodb:27017/tomato?authSource=admin&replicaSet=rs0' "$(<secrets/mongodb_password)"
secret redis_url printf 'redis://:%s@redis:6379/0' "$(<secrets/redis_password)"
secret s3_access_key openssl rand -hex 10
secret s3_secret_key openssl rand -hex 20
secret openai_api_key printf '%s' "${OPENAI_API_KEY:-}"
secret tomato_backup_key openssl rand -hex 24
chmod 444 secrets/*
export S3_ACCESS_KEY S3_SECRET_KEY
S3_ACCESS_KEY=$(<secrets/s3_access_key)
S3_SECRET_KEY=$(<secrets/s3_secret_key)

export IMAGE_TAG=$tag
docker image inspect "tomato:$tag" >/dev/null 2>&1 || "${compose[@]}" build tomato
"${compose[@]}" config --quiet

# Waits for health; when it does not come, the old tag goes back into service.
if ! "${compose[@]}" up --detach --no-build --remove-orphans --wait --wait-timeout 180; then
    echo "tomato:$tag is not healthy; going back." >&2
    "${compose[@]}" logs --tail 50 tomato >&2
    [[ -e .deployed ]] && IMAGE_TAG=$(tail -n 1 .deployed) "${compose[@]}" up --detach --no-build --wait
    exit 1
fi
echo "$tag" >>.deployed

docker container prune --force --filter label=com.docker.compose.project=tomato >/dev/null
# The newest of what was in service stay, each counted once.
stay=$(tac .deployed | awk -v kept="$kept" 'n < kept && !seen[$0]++ { print; n++ }'; echo latest)
docker image ls tomato --format '{{.Tag}}' | while read -r old; do
    grep -qxF -- "$old" <<<"$stay" || docker image rm "tomato:$old" || true
done
echo "tomato:$tag is in service. Keep a copy of infra/secrets/tomato_backup_key apart from the backups."
