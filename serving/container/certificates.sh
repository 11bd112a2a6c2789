#!/bin/bash
# Makes a private authority, a certificate of it for a server, and one for a client.
#
#   certificates.sh DIR [SERVER_NAME...]
#
# DIR gets ca.pem, server.pem and server.key, client.pem and client.key, and ca.key, which signs
# more of them and is best kept elsewhere. The server's certificate is for localhost and each
# SERVER_NAME: the names by which clients call it, such as serving.keras-chrome.svc.
set -euo pipefail
umask 077

(($# > 0)) || { echo "usage: certificates.sh DIR [SERVER_NAME...]" >&2; exit 2; }
dir=$1
names=DNS:localhost,IP:127.0.0.1
for name in "${@:2}"; do
    names+=,DNS:$name
done
mkdir -p "$dir"
for file in ca.key ca.pem server.key server.pem client.key client.pem; do
    if [[ -e $dir/$file ]]; then
        echo "certificates.sh: Expected a folder without certificates. Received: $dir/$file" >&2
        exit 2
    fi
done

# All of them or none.
new=$(mktemp -d "$dir/.new-XXXXXX")
trap 'rm -rf "$new"' EXIT

# openssl reports its progress as it does errors.
quietly() {
    "$@" 2>"$new/log" || { cat "$new/log" >&2; return 1; }
}

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
quietly openssl req -x509 "${new_key[@]}" -days 3650 -subj "/CN=keras-chrome private authority" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout "$new/ca.key" -out "$new/ca.pem"

# sign NAME USAGE SUBJECT_ALT_NAMES
sign() {
    quietly openssl req "${new_key[@]}" -subj "/CN=keras-chrome $1" \
        -keyout "$new/$1.key" -out "$new/$1.csr"
    printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n%s\n%s\n' \
        "extendedKeyUsage=$2" "subjectAltName=$3" >"$new/$1.extensions"
    quietly openssl x509 -req -in "$new/$1.csr" -CA "$new/ca.pem" -CAkey "$new/ca.key" \
        -CAcreateserial -days 825 -extfile "$new/$1.extensions" -out "$new/$1.pem"
}

sign server serverAuth "$names"
sign client clientAuth DNS:client
mv "$new"/*.pem "$new"/*.key "$dir"
