#!/usr/bin/env bash
# Deploys the marketplace to VMs of Google Compute Engine, updates it, or removes it again. What is there already is
# kept, so that a run that was cut short may be repeated.
set -euo pipefail

readonly here=${BASH_SOURCE[0]%/*}
readonly usage="Usage: deploy.sh --project PROJECT --binary FILE [OPTION]…

  --project PROJECT     the project to deploy to
  --binary FILE         the static binary
  --region REGION       where the frontends are (europe-west1)
  --zone ZONE           where the databases are (the region's zone b)
  --clients RANGES      who may call the frontends (the subnet, 10.64.0.0/24)
  --machine-type TYPE   of all VMs (e2-small)
  --disk-size SIZE      of each data disk (20GB)
  --certificates DIR    encrypt connections, with the tls.crt, tls.key and ca.crt in this folder
  --store DIR           keep the data in the PostgreSQL of which the url, password and root.crt in this folder tell, rather
                        than on disks; so there is a group of each database as well
  --one-vm              all four services on one VM, rather than the databases on one each and a group of each frontend
  --delete              remove everything but the data disks
  --delete-data         remove the data disks, too
  --dry-run             print the commands, as for a project where nothing is deployed yet"

readonly name=marketplace
readonly subnet_range=10.64.0.0/24
# From where Google's health checks and its tunnel for administrators (IAP) come.
readonly health_check_ranges=130.211.0.0/22,35.191.0.0/16
readonly iap_range=35.235.240.0/20
readonly frontends=(buyer seller)
readonly databases=(customer product)
readonly certificate_files=(tls.crt tls.key ca.crt)
readonly store_files=(url password root.crt)
declare -Ar port=([customer]=6001 [product]=6002 [buyer]=6003 [seller]=6004)
declare -Ar admin_port=([customer]=9101 [product]=9102 [buyer]=9103 [seller]=9104)

project='' binary='' region=europe-west1 zone='' clients=$subnet_range machine_type=e2-small disk_size=20GB
certificates='' store=''
one_vm=false deleting=false deleting_data=false dry_run=false
work=$(mktemp --directory)
trap 'rm --recursive --force -- "$work"' EXIT

main() {
    read_options "$@"
    export CLOUDSDK_CORE_PROJECT=$project
    if $dry_run; then
        printf 'export CLOUDSDK_CORE_PROJECT=%q\n' "$project"
    fi
    if $deleting; then
        delete_everything
        return
    fi
    run gcloud services enable compute.googleapis.com iam.googleapis.com secretmanager.googleapis.com \
        storage.googleapis.com
    create_network
    upload_release
    create_secret
    if [[ -n $certificates ]]; then upload_files "$certificates_secret" "$certificates" "${certificate_files[@]}"; fi
    if [[ -n $store ]]; then upload_files "$store_secret" "$store" "${store_files[@]}"; fi
    if $one_vm; then
        create_one_vm
    else
        for database in "${databases[@]}"; do create_database "$database"; done
        for frontend in "${frontends[@]}"; do create_frontend "$frontend"; done
    fi
}

read_options() {
    while (($# > 0)); do
        case $1 in
            --project | --binary | --region | --zone | --clients | --machine-type | --disk-size | --certificates | \
                --store)
                (($# > 1)) || fail "$1 needs a value"
                local variable=${1#--}
                printf -v "${variable//-/_}" %s "$2"
                shift
                ;;
            --one-vm) one_vm=true ;;
            --delete) deleting=true ;;
            --delete-data) deleting=true deleting_data=true ;;
            --dry-run) dry_run=true ;;
            -h | --help)
                printf '%s\n' "$usage"
                exit
                ;;
            *) fail "$1 is no option" ;;
        esac
        shift
    done
    [[ -n $project ]] || fail "--project is missing"
    $deleting || check_binary
    for file in "${certificate_files[@]}"; do
        [[ -z $certificates || -f $certificates/$file ]] || fail "--certificates: there is no $file in $certificates"
    done
    for file in "${store_files[@]}"; do
        [[ -z $store || -f $store/$file ]] || fail "--store: there is no $file in $store"
    done
    [[ -z $store ]] || ! $one_vm || fail "--store and --one-vm exclude each other"
    zone=${zone:-$region-b}
    readonly account=$name@$project.iam.gserviceaccount.com bucket=gs://$project-$name secret=$name-database \
        certificates_secret=$name-certificates store_secret=$name-store
}

# Which libraries a VM has is not known here, so a program must need none. That is to be found out before a VM boots with it.
check_binary() {
    [[ -f $binary ]] || fail "--binary is no file"
    [[ $(head --bytes=5 -- "$binary" | od -An -t x1) == " 7f 45 4c 46 02" ]] || fail "--binary is no program for 64-bit Linux"
    local headers size count each
    read -r headers < <(field u8 32 8)
    read -r size count < <(field u2 54 4)
    for ((each = 0; each < count; each++)); do
        # What names a loader (PT_INTERP).
        (($(field u4 $((headers + each * size)) 4) != 3)) ||
            fail "--binary is linked dynamically, and a VM may lack its libraries: README.md says how to link it statically"
    done
}

# field TYPE PLACE LENGTH: numbers in the binary.
field() {
    od -An -t "$1" -j "$2" -N "$3" -- "$binary"
}

create_network() {
    create "compute networks" "$name" "" --subnet-mode=custom
    # No VM has an address outside. Private access is what lets them fetch the release.
    create "compute networks subnets" "$name" "--region=$region" --network="$name" --range="$subnet_range" \
        --enable-private-ip-google-access
    # Only the frontends reach the databases.
    allow databases "$name-database" tcp:6001,tcp:6002 --source-tags="$name-frontend"
    allow clients "$name-frontend" tcp:6003,tcp:6004 --source-ranges="$clients"
    allow health-checks "$name-frontend" tcp:6003,tcp:6004,tcp:9103,tcp:9104 --source-ranges="$health_check_ranges"
    if [[ -n $store ]]; then
        allow database-health-checks "$name-database" tcp:6001,tcp:6002,tcp:9101,tcp:9102 \
            --source-ranges="$health_check_ranges"
    fi
    allow monitoring "$name-frontend,$name-database" tcp:9101-9104 --source-tags="$name-monitoring"
    allow ssh "$name-frontend,$name-database" tcp:22 --source-ranges="$iap_range"
    allow tunnels "$name-frontend" tcp:6003,tcp:6004 --source-ranges="$iap_range"
}

# allow RULE TAGS PORTS SOURCE: lets SOURCE reach PORTS of the VMs with TAGS.
allow() {
    create "compute firewall-rules" "$name-$1" "" --network="$name" --direction=INGRESS --target-tags="$2" \
        --allow="$3" "$4"
}

# Puts the binary and its unit into the bucket. A release is named by its content, so it never changes.
upload_release() {
    local archive=$work/release.tar.gz
    cp -- "$binary" "$work/marketplace"
    chmod 0755 "$work/marketplace"
    cp -- "$here/marketplace@.service" "$here/tls.conf" "$here/store.conf" "$work"
    tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory "$work" \
        marketplace marketplace@.service tls.conf store.conf | gzip --no-name >"$archive"
    sha256=$(sha256sum <"$archive" | cut --delimiter=' ' --fields=1)
    release=${bucket#gs://}/$sha256.tar.gz
    readonly sha256 release

    create "storage buckets" "$bucket" "" --location="$region" --uniform-bucket-level-access --public-access-prevention
    run gcloud storage cp "$archive" "gs://$release" --no-clobber
    # It is created by its short name and known by its address.
    if ! exists "iam service-accounts" "$account" ""; then
        run gcloud iam service-accounts create "$name" --display-name="Marketplace VMs"
    fi
    run gcloud storage buckets add-iam-policy-binding "$bucket" --member="serviceAccount:$account" \
        --role=roles/storage.objectViewer
}

# What frontends show to databases, made once. Metadata would be no place for it: whoever may list VMs can read them.
create_secret() {
    create secrets "$secret" "" --replication-policy=automatic
    if ! exists "secrets versions" latest "--secret=$secret"; then
        openssl rand -hex 32 >"$work/secret"
        run gcloud secrets versions add "$secret" --data-file="$work/secret"
    fi
    let_read "$secret"
}

# upload_files SECRET FOLDER FILE…: the files as one secret, so that a VM never has some of them from before and some from
# after a change.
upload_files() {
    local archive=$work/$1.tar newest=$work/newest-$1.tar
    tar --create --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0400 --file "$archive" \
        --directory "$2" "${@:3}"
    create secrets "$1" "" --replication-policy=automatic
    $dry_run || gcloud secrets versions access latest --secret="$1" --out-file="$newest" 2>/dev/null || true
    if ! cmp --quiet "$archive" "$newest"; then
        run gcloud secrets versions add "$1" --data-file="$archive"
    fi
    let_read "$1"
}

# let_read SECRET: lets the VMs' account read it.
let_read() {
    run gcloud secrets add-iam-policy-binding "$1" --member="serviceAccount:$account" \
        --role=roles/secretmanager.secretAccessor
}

create_one_vm() {
    local services="db_customer db_product server_buyer server_seller" service metadata
    metadata=$(metadata "$services")
    for service in customer product; do
        metadata+=,$name-db_$service="$(database_options "$service" 127.0.0.1)"
    done
    for service in buyer seller; do
        metadata+=,$name-server_$service="$(frontend_options "$service" 127.0.0.1 127.0.0.1)"
    done
    create_disk "$name"
    create_vm "$name" "$name-frontend" "$metadata" "$name"
}

create_database() {
    local vm=$name-db-$1 metadata
    metadata=$(metadata "db_$1")
    metadata+=,$name-db_$1="$(database_options "$1" 0.0.0.0)"
    if [[ -n $store ]]; then
        # Two groups of four have 64 connections to the store, of which PostgreSQL takes 100 by default.
        create_group "$vm" "$1" "$name-database" 4 "$metadata,$name-store=projects/$project/secrets/$store_secret"
        return
    fi
    create_disk "$vm"
    create_vm "$vm" "$name-database" "$metadata" "$vm"
}

create_frontend() {
    local metadata
    metadata=$(metadata "server_$1")
    metadata+=,$name-server_$1="$(frontend_options "$1" "$(address customer)" "$(address product)")"
    create_group "$name-server-$1" "$1" "$name-frontend" 8 "$metadata"
}

# create_group GROUP SERVICE TAG MAX METADATA: two VMs or more over the region's zones, behind a load balancer.
create_group() {
    local group=$1 service=$2 tag=$3 max=$4 metadata=$5 template
    # A template never changes, so it is named by all that is in it.
    template=$group-$(printf '%s\n' "$metadata" "$machine_type" "${vm_options[@]}" |
        cat - "$here/start-up.sh" | sha256sum | cut --characters=1-12)
    create "compute instance-templates" "$template" "" --region="$region" "${vm_options[@]}" \
        --machine-type="$machine_type" --service-account="$account" --tags="$tag" --metadata="$metadata"
    # The event loop itself must answer the check that has a VM replaced: the kernel would accept a TCP connection for a
    # loop that hangs. Traffic goes where the port is open, which it no longer is while draining.
    create_health_check http "$group-live" --port="${admin_port[$service]}" --request-path=/livez --check-interval=10 \
        --unhealthy-threshold=3
    create_health_check tcp "$group" --port="${port[$service]}" --check-interval=2 --timeout=2 --unhealthy-threshold=2
    create "compute instance-groups managed" "$group" "--region=$region" --template="$template" --size=2 \
        --health-check="$group-live" --initial-delay=120
    run gcloud compute instance-groups managed set-autoscaling "$group" --region="$region" --min-num-replicas=2 \
        --max-num-replicas="$max" --target-cpu-utilization=0.6
    # Nothing changes if the group has this template. A group over three zones grows by three VMs at a time.
    run gcloud compute instance-groups managed rolling-action start-update "$group" --region="$region" \
        --version="template=$template" --max-surge=3 --max-unavailable=0
    create_load_balancer "$group" "${port[$service]}"
}

# Inside of the VPC network only, because nothing need be encrypted. The label is a part of its name there (address).
create_load_balancer() {
    local backends
    create "compute backend-services" "$1" "--region=$region" --load-balancing-scheme=INTERNAL --protocol=TCP \
        --health-checks="$1" --global-health-checks --connection-draining-timeout=10
    backends=$(show "compute backend-services" "$1" "--region=$region" --format='value(backends[].group)') || backends=
    if [[ $backends != *"/$1"* ]]; then
        run gcloud compute backend-services add-backend "$1" --region="$region" --instance-group="$1" \
            --instance-group-region="$region"
    fi
    create "compute forwarding-rules" "$1" "--region=$region" --load-balancing-scheme=INTERNAL --network="$name" \
        --subnet="$name" --ip-protocol=TCP --ports="$2" --backend-service="$1" --backend-service-region="$region" \
        --service-label="$name"
}

create_health_check() {
    local protocol=$1 check=$2
    shift 2
    if ! exists "compute health-checks" "$check" --global; then
        run gcloud compute health-checks create "$protocol" "$check" --global "$@"
    fi
}

create_disk() {
    create "compute disks" "$1" "--zone=$zone" --type=pd-ssd --size="$disk_size"
}

# create_vm NAME TAG METADATA DISK. A VM that exists takes up a new release when it starts the next time.
create_vm() {
    create "compute instances" "$1" "--zone=$zone" "${vm_options[@]}" --machine-type="$machine_type" \
        --service-account="$account" --tags="$2" --metadata="$3" \
        --disk="name=$4,device-name=$name-data,mode=rw,boot=no,auto-delete=no"
    run gcloud compute instances add-metadata "$1" --zone="$zone" --metadata="$3" \
        --metadata-from-file="startup-script=$here/start-up.sh"
}

readonly vm_options=(
    --image-family=debian-12
    --image-project=debian-cloud
    --network-interface="subnet=$name,no-address"
    # Nothing narrower includes Secret Manager. What the account may do, its roles say: read one bucket and these secrets.
    --scopes=cloud-platform
    --shielded-secure-boot
    --metadata-from-file="startup-script=$here/start-up.sh"
)

# What start-up.sh reads, but for the options of the services.
metadata() {
    printf '%s' "$name-services=$1,$name-release=$release,$name-sha256=$sha256" \
        ",$name-secret=projects/$project/secrets/$secret" \
        "${certificates:+,$name-certificates=projects/$project/secrets/$certificates_secret}"
}

# database_options DATABASE HOST
database_options() {
    # start-up.sh adds the URL of a store.
    local data=" --data /var/lib/$name/db_$1"
    if [[ -n $store ]]; then data=''; fi
    printf '%s' "--listen $2:${port[$1]} --admin 0.0.0.0:${admin_port[$1]}$data" \
        "$(tls_options "db_$1" tls-cert=tls.crt tls-key=tls.key)"
}

# frontend_options FRONTEND CUSTOMER_HOST PRODUCT_HOST. As many event loops as an e2-small has processors.
frontend_options() {
    printf '%s' "--listen 0.0.0.0:${port[$1]} --admin 0.0.0.0:${admin_port[$1]} --reactors 2" \
        " --customer $2:${port[customer]} --product $3:${port[product]}${store:+ --links 4}" \
        "$(tls_options "server_$1" tls-cert=tls.crt tls-key=tls.key tls-ca=ca.crt)"
}

# tls_options SERVICE OPTION=FILE…: with the copies of the files that systemd gives to the service.
tls_options() {
    local each
    for each in "${@:2}"; do
        printf '%s' "${certificates:+ --${each%%=*} /run/credentials/$name@$1.service/${each#*=}}"
    done
}

# The name of a database's VM, or of the load balancer before its group; Google's name server knows both in all zones.
address() {
    if [[ -n $store ]]; then
        printf '%s' "$name.$name-db-$1.il4.$region.lb.$project.internal"
    else
        printf '%s' "$name-db-$1.$zone.c.$project.internal"
    fi
}

delete_everything() {
    local group vm template rule
    for group in "${frontends[@]/#/$name-server-}" "${databases[@]/#/$name-db-}"; do
        delete "compute forwarding-rules" "$group" "--region=$region"
        delete "compute backend-services" "$group" "--region=$region"
        delete "compute instance-groups managed" "$group" "--region=$region"
        delete "compute health-checks" "$group" --global
        delete "compute health-checks" "$group-live" --global
    done
    # Each release has left one.
    while read -r template; do
        delete "compute instance-templates" "$template" ""
    done < <(query gcloud compute instance-templates list --filter="name~^$name-(server|db)-" --format='value(name)')
    for vm in "$name" "${databases[@]/#/$name-db-}"; do
        delete "compute instances" "$vm" "--zone=$zone"
        if $deleting_data; then delete "compute disks" "$vm" "--zone=$zone"; fi
    done
    for rule in databases clients health-checks database-health-checks monitoring ssh tunnels; do
        delete "compute firewall-rules" "$name-$rule" ""
    done
    delete "compute networks subnets" "$name" "--region=$region"
    delete "compute networks" "$name" ""
    delete "iam service-accounts" "$account" ""
    delete secrets "$secret" ""
    delete secrets "$certificates_secret" ""
    delete secrets "$store_secret" ""
    if exists "storage buckets" "$bucket" "" || $dry_run; then run gcloud storage rm "$bucket" --recursive; fi
}

# create GROUP NAME SCOPE [OPTION]…: creates what is not there. GROUP is what stands between `gcloud` and the verb,
# SCOPE the option that says where, or empty.
create() {
    local -a group
    read -ra group <<<"$1"
    if exists "$1" "$2" "$3"; then
        return
    fi
    run gcloud "${group[@]}" create "$2" ${3:+"$3"} "${@:4}"
}

# delete GROUP NAME SCOPE: deletes what is there.
delete() {
    local -a group
    read -ra group <<<"$1"
    if exists "$1" "$2" "$3" || $dry_run; then
        run gcloud "${group[@]}" delete "$2" ${3:+"$3"} --quiet
    fi
}

exists() {
    show "$@" >/dev/null 2>&1
}

# show GROUP NAME SCOPE [OPTION]…
show() {
    local -a group
    read -ra group <<<"$1"
    ! $dry_run && gcloud "${group[@]}" describe "$2" ${3:+"$3"} "${@:4}"
}

# Runs a command that only asks, unless nothing is to be asked.
query() {
    $dry_run || "$@"
}

# Prints a command so that a shell can read it, and runs it unless --dry-run was given.
run() {
    local word line=
    for word in "$@"; do
        if [[ $word == *[!A-Za-z0-9_./:=,@-]* ]]; then word=${word@Q}; fi
        line+="$word "
    done
    printf '%s\n' "${line% }"
    $dry_run || "$@"
}

fail() {
    printf 'error: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

main "$@"
