#!/bin/sh
# Install what makes three hosts of this machine: Slurm, tini, iproute2, .. by apt-get for root.
# Where that cannot be, the tests that need it are skipped, and say what is missing.
set -eu
packages="slurm-wlm munge iproute2 util-linux tini nftables"
for tool in slurmctld slurmd sbatch munged ip unshare nsenter setpriv tini nft; do
    PATH=$PATH:/usr/sbin command -v "$tool" > /dev/null && continue
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        echo "no $tool here: installing $packages by apt-get"
        # shellcheck disable=SC2086
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -qq -y --no-install-recommends $packages || echo "apt-get failed"
    else
        echo "no $tool here, and no root with apt-get to install $packages"
    fi
    break
done
