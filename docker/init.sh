#!/bin/sh
# Users, topics, rights, keyspace: once before the roles, and again after each upgrade. Doing it twice changes nothing.
set -eu
logcast kafka users /run/secrets
logcast topics apply
logcast kafka acls apply
logcast keyspace apply --admin-password-file /run/secrets/cassandra-admin.password
