# Functions of the scripts that use compose.yaml: they work with Compose 2, which is a part of the command `docker`, and
# with the older docker-compose.
# shellcheck shell=bash

compose_files=("$(realpath "$(dirname "${BASH_SOURCE[0]}")")/compose.yaml")

compose() {
    local files=("${compose_files[@]/#/--file=}")
    if docker compose version >/dev/null 2>&1; then
        docker compose --progress quiet "${files[@]}" "$@"
    else
        # It tells of each container on standard error.
        docker-compose "${files[@]}" "$@" 2> >(grep -v ' \.\.\. \|^Creating \|^Removing ' >&2)
    fi
}

# A secret for the user of the image alone, unless there is one.
make_secret() {
    [ -e "$SECRET_FILE" ] || openssl rand -hex 32 | install --mode=400 --owner=65532 /dev/stdin "$SECRET_FILE"
}

# Starts all services, and waits until they are healthy.
compose_up() {
    compose up --detach --no-build >&2
    await_healthy
}

# The older one has no `--wait`.
await_healthy() {
    local container _
    for container in $(compose ps --quiet); do
        for _ in {1..300}; do
            case $(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "$container") in
            "running healthy") continue 2 ;;
            exited*) break ;;
            esac
            sleep 0.1
        done
        docker logs --tail 20 "$container" >&2
        echo "not healthy within 30 seconds: $(docker inspect --format '{{.Name}}' "$container")" >&2
        return 1
    done
}
