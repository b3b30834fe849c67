#!/bin/sh
# Makes Temporal's two databases, or brings those that exist up to date: temporal-schema.sh PASSWORD_FILE.
# The server is named by SQL_PLUGIN, SQL_HOST, SQL_PORT and SQL_USER; the schema is the one inside the tool.
set -eu
SQL_PASSWORD=$(cat "$1")
export SQL_PASSWORD

for database in temporal temporal_visibility; do
  temporal-sql-tool --db "$database" create-database
  temporal-sql-tool --db "$database" setup-schema --version 0.0 # leaves a schema that is there alone
  temporal-sql-tool --db "$database" update-schema --schema-name "postgresql/v12/${database#temporal_}"
done
