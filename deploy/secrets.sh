#!/bin/sh
# Makes what docker-compose.yml needs and no repository holds, in the folder of the project or the one given: secrets/,
# files/, and .env. What exists stays as it is.
set -eu
umask 077
cd "${1:-$(dirname "$0")/..}"
mkdir -p secrets files

keep() { # FILE TEXT
  [ -e "$1" ] || printf '%s\n' "$2" >"$1"
}
random() { # hexadecimal digits, 64 of them
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}
keep secrets/postgres_password "$(random)"
keep secrets/convilyn_api_key "ck_$(random)"
keep secrets/inbox_token "$(random)"
keep secrets/inbox_secret "$(random)"
keep secrets/encryption_keys "k1 $(head -c32 /dev/urandom | base64)"
keep secrets/webhook_url ''  # yours
keep secrets/webhook_secret "whsec_$(head -c32 /dev/urandom | base64)"
keep .env "CONVILYN_UID=$(id -u)
CONVILYN_GID=$(id -g)"
