#!/bin/sh
# Starts a Redis server or a sentinel of docker/sentinel-stack.yml:
#
#   sentinel-start.sh redis|sentinel NAME FIRST_MASTER
#
# Both rewrite their configuration when roles change, so it is made once and stays with the data.
set -eu
role=$1 name=$2 first=$3
file=/data/$role.conf

redis() {
  cat <<CONF
dir /data
protected-mode no
appendonly yes
appendfsync everysec
maxmemory 1gb
maxmemory-policy noeviction
replica-announce-ip $name
# A master that is cut off stops taking writes, which would be lost.
min-replicas-to-write 1
min-replicas-max-lag 3
CONF
  [ "$name" = "$first" ] || echo "replicaof $first 6379"
}

sentinel() {
  cat <<CONF
dir /data
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $name
sentinel monitor wss $first 6379 2
sentinel down-after-milliseconds wss 5000
sentinel failover-timeout wss 20000
sentinel parallel-syncs wss 1
CONF
}

[ -s "$file" ] || $role >"$file"
if [ "$role" = sentinel ]; then set -- --sentinel; else set --; fi
exec redis-server "$file" "$@"
