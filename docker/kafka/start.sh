#!/bin/sh
# Format the storage when it is new, with the admin as its first user, then become the broker.
# The password goes through a file: what a command line has is seen by everybody.
set -eu
umask 077
if [ ! -f /var/lib/kafka/log/meta.properties ]; then
    arguments=$(mktemp)
    printf -- '--add-scram\nSCRAM-SHA-512=[name=admin,password=%s]\n' "$(cat /run/secrets/kafka-admin.password)" >"$arguments"
    /opt/kafka/bin/kafka-storage.sh format -t "$CLUSTER_ID" -c /etc/logcast/server.properties "@$arguments"
    rm -f "$arguments"
fi
exec /opt/kafka/bin/kafka-server-start.sh /etc/logcast/server.properties
