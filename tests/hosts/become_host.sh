#!/bin/sh
# PID 1 of a host (three_hosts.py): makes its folders its own, says "ready", and becomes tini, which
# reaps orphans as the init of a machine does.
#
#   become_host.sh NAME DISK SHARED...
#
# NAME is the host's. DISK holds tmp/ and hosts, the files /tmp and /etc/hosts of this host. SHARED
# are folders that all hosts have, as by NFS: they stay visible where they lie below /tmp or /run.
set -eu
name=$1 disk=$2
shift 2

mount -t proc proc /proc
hostname "$name"
mount --bind "$disk/hosts" /etc/hosts

keep_shared() {  # keep_shared NEW OLD SHARED...: what lies below OLD lies below NEW, too
    new=$1 old=$2
    shift 2
    for folder in "$@"; do
        case $folder in
            "$old"/*) mkdir -p "$new${folder#"$old"}"; mount --rbind "$folder" "$new${folder#"$old"}" ;;
        esac
    done
}

mkdir -p "$disk/run"
mount -t tmpfs run "$disk/run"
keep_shared "$disk/run" /run "$@"
keep_shared "$disk/tmp" /tmp "$@"
mount --rbind "$disk/run" /run
mount --rbind /sys/fs/cgroup "$disk/cgroup"
mount -t sysfs sysfs /sys  # of this network: its interfaces, not the machine's
mount --rbind "$disk/cgroup" /sys/fs/cgroup
mount -t tmpfs shm /dev/shm
chmod 1777 "$disk/tmp" /dev/shm
mount --rbind "$disk/tmp" /tmp

ip link set lo up
echo ready
exec tini -s -- sleep infinity
