#!/usr/bin/env bash
# Builds the image and uses it: the demo in a container, then three containers as three Ray nodes.
#     docker/smoke.sh [OPTION OF BUILD ..]
# such as --build-arg BASE=prisam-base:bookworm. ENGINE names the program (podman), COMPOSE what reads
# compose.yaml (podman-compose). Ends with 0 if every byte of both runs was explained.
set -euo pipefail
cd "$(dirname "$0")/.."
engine=${ENGINE:-podman}
compose=${COMPOSE:-podman-compose}
export PRISAM_IMAGE=localhost/prisam-p2p-smoke

$engine build --build-arg EXTRAS=ray "$@" -f docker/Dockerfile -t "$PRISAM_IMAGE" .

explained() { # the run's output must say so
    grep -E "^closure: [0-9,]+ connections, 0 B unexplained" "$1" || { cat "$1"; exit 1; }
}
log=$(mktemp)
down() { $compose -f docker/compose.yaml down -v > /dev/null 2>&1 || true; rm -f "$log"; }
trap down EXIT

echo "== the demo in a container"
timeout 300 $engine run --rm --init "$PRISAM_IMAGE" > "$log" 2>&1 || { cat "$log"; exit 1; }
explained "$log"

echo "== three containers as three Ray nodes"
$compose -f docker/compose.yaml up -d
for _ in $(seq 60); do
    nodes=$($compose -f docker/compose.yaml exec -T h1 ray status 2> /dev/null | grep -c "^ 1 node_" || true)
    [ "$nodes" = 3 ] && break
    sleep 1
done
[ "$nodes" = 3 ] || { echo "Ray has $nodes of 3 nodes after a minute"; exit 1; }
timeout 300 $compose -f docker/compose.yaml exec -T h1 prisam launch ring-8 --on ray --hosts 3 > "$log" 2>&1 \
    || { cat "$log"; exit 1; }
explained "$log"
echo "both runs: every byte explained"
