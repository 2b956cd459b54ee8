#!/usr/bin/env bash
# What a VM does at each boot, as root: it mounts its data disk, installs the release and the secrets that its metadata
# names, and starts the services that are listed there. Run by hand, it updates them.
set -euo pipefail

readonly metadata=http://metadata.google.internal/computeMetadata/v1/instance
readonly disk=/dev/disk/by-id/google-marketplace-data
readonly data=/var/lib/private/marketplace
readonly settings=/etc/marketplace
work=$(mktemp --directory)
trap 'rm --recursive --force -- "$work"' EXIT

main() {
    local -a services units
    local service attributes store=''
    read -ra services <<<"$(instance attributes/marketplace-services)"
    mkdir --parents "$settings"
    attributes=$(instance attributes/)
    if [[ " ${services[*]}" == *" db_"* && $attributes != *marketplace-store* ]]; then
        mount_data_disk
    fi
    get_token
    install_release "$(instance attributes/marketplace-release)" "$(instance attributes/marketplace-sha256)"
    install_secret "$(instance attributes/marketplace-secret)"
    if [[ $attributes == *marketplace-certificates* ]]; then
        install_certificates "$(instance attributes/marketplace-certificates)"
    fi
    if [[ $attributes == *marketplace-store* ]]; then
        install_store "$(instance attributes/marketplace-store)"
        store=" --store $(<"$work/url")"
    fi
    for service in "${services[@]}"; do
        printf 'OPTIONS=%s%s\n' "$(instance "attributes/marketplace-$service")" "$store" >"$settings/$service.env"
        # OPERATIONS.md, Buffers: a database would pay for it with its speed.
        if [[ $service == server_* ]]; then
            echo MALLOC_MMAP_THRESHOLD_=32768 >>"$settings/$service.env"
        fi
        units+=("marketplace@$service.service")
    done
    systemctl enable "${units[@]}"
    systemctl restart "${units[@]}"
}

# What the metadata server says about this VM.
instance() {
    curl --fail --silent --show-error --retry 5 --retry-connrefused --header 'Metadata-Flavor: Google' "$metadata/$1"
}

# A database without its disk must not start: it would begin anew on the boot disk.
mount_data_disk() {
    local signatures
    # Only a disk that bears no signature of any kind is formatted; one that cannot be read ends the script.
    signatures=$(wipefs --noheadings --output TYPE -- "$disk")
    if [[ -z $signatures ]]; then
        mkfs.ext4 -q -m 0 "$disk"
    fi
    install --directory --mode=0700 "$(dirname "$data")"
    install --directory "$data"
    if ! grep --quiet --fixed-strings " $data " /etc/fstab; then
        printf '%s\n' "$disk $data ext4 noatime,nofail,x-systemd.growfs 0 2" >>/etc/fstab
        systemctl daemon-reload
    fi
    mountpoint --quiet "$data" || mount "$data"
}

# The token is not for the list of processes, so it goes through a file that only this user can read.
get_token() {
    instance service-accounts/default/token |
        sed 's/.*"access_token": *"\([^"]*\)".*/header = "Authorization: Bearer \1"/' >"$work/token"
}

# Asks Google as the VM's account.
request() {
    curl --fail --silent --show-error --retry 5 --config "$work/token" "$@"
}

# Installs the archive at gs://$1 with the checksum $2, unless it is the one that is here.
install_release() {
    local archive=$work/release.tar.gz
    if [[ -e $settings/release && $(<"$settings/release") == "$2" ]]; then
        return
    fi
    request --output "$archive" "https://storage.googleapis.com/$1"
    printf '%s  %s\n' "$2" "$archive" | sha256sum --check --quiet
    tar --extract --file "$archive" --directory "$work"
    install --mode=0755 "$work/marketplace" /usr/local/bin/marketplace
    install --mode=0644 "$work/marketplace@.service" /etc/systemd/system/marketplace@.service
    install --mode=0644 "$work/tls.conf" "$work/store.conf" "$settings"
    systemctl daemon-reload
    printf '%s\n' "$2" >"$settings/release"
}

# Installs the newest version of the secret $1, for root alone: systemd hands it to the services.
install_secret() {
    fetch_secret "$1" "$work/secret"
    install --mode=0400 "$work/secret" "$settings/secret"
}

# The same with the files of certificates, for which the unit has a drop-in.
install_certificates() {
    fetch_secret "$1" "$work/certificates.tar"
    tar --extract --file "$work/certificates.tar" --directory "$work"
    install --directory --mode=0700 "$settings/tls"
    install --mode=0400 "$work/tls.crt" "$work/tls.key" "$work/ca.crt" "$settings/tls"
    install -D --mode=0644 "$settings/tls.conf" /etc/systemd/system/marketplace@.service.d/tls.conf
    systemctl daemon-reload
}

# The same with what is known of a PostgreSQL, in which it makes the tables, too.
install_store() {
    fetch_secret "$1" "$work/store.tar"
    tar --extract --file "$work/store.tar" --directory "$work"
    install --directory "$settings/store"
    install --mode=0400 "$work/password" "$settings/store/password"
    install --mode=0644 "$work/root.crt" "$settings/store/root.crt"
    install -D --mode=0644 "$settings/store.conf" /etc/systemd/system/marketplace@.service.d/store.conf
    systemctl daemon-reload
    # Tables of a newer release are none of its business, and whether it can use them, the service says.
    MARKETPLACE_STORE_PASSWORD_FILE=$settings/store/password marketplace migrate --store "$(<"$work/url")" || true
}

# fetch_secret SECRET FILE: writes its newest version to the file.
fetch_secret() {
    request "https://secretmanager.googleapis.com/v1/$1/versions/latest:access" |
        sed --quiet 's/.*"data": *"\([^"]*\)".*/\1/p' | base64 --decode >"$2"
    if [[ ! -s $2 ]]; then
        echo "error: there is nothing in $1" >&2
        return 1
    fi
}

main
