#!/bin/sh
# Fill in the configuration from the environment, then become nginx.
set -eu
export LOGCAST_EDGE_DIR=/etc/logcast-edge LOGCAST_EDGE_CACHE=/var/cache/logcast-edge
export LOGCAST_EDGE_USER=www-data LOGCAST_EDGE_MODULES=/usr/lib/nginx/modules
cp /usr/share/logcast-edge/origin.conf /usr/share/logcast-edge/logcast_edge.lua "$LOGCAST_EDGE_DIR"
names=$(env | sed -n 's/^\(LOGCAST_EDGE_[A-Z_]*\)=.*/${\1}/p' | tr '\n' ' ')
envsubst "$names" </usr/share/logcast-edge/nginx.conf.template >"$LOGCAST_EDGE_DIR/nginx.conf"
exec nginx -p "$LOGCAST_EDGE_DIR" -c "$LOGCAST_EDGE_DIR/nginx.conf" -g 'daemon off;'
