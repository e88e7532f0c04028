#!/usr/bin/env bash
# Makes a base image from Debian's packages, for machines that reach no registry of images:
#     docker/base.sh prisam-base:bookworm
# Needs root, debootstrap and podman (or docker, by ENGINE=docker). Takes a minute or two.
set -euo pipefail
image=${1:?usage: docker/base.sh NAME:TAG}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
    bookworm "$folder" "${MIRROR:-http://deb.debian.org/debian}"
tar -C "$folder" -c . | ${ENGINE:-podman} import - "$image"
