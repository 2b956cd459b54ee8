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
        docker-compose "${files[@]}" "$@" 2> >(grep -v ' \.\.\. \|^Creating \|^Removing \|the port will clash' >&2)
    fi
}

# make_secret FILE: one for the user of the image alone, unless there is one.
make_secret() {
    [ -e "$1" ] || openssl rand -hex 32 | install --mode=400 --owner=65532 /dev/stdin "$1"
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
            case $(docker inspect --format '{{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}{{.State.ExitCode}}{{end}}' \
                "$container") in
            # What has something to do once has done it.
            "running healthy" | "exited 0") continue 2 ;;
            exited*) break ;;
            esac
            sleep 0.1
        done
        docker logs --tail 20 "$container" >&2
        echo "not healthy within 30 seconds: $(docker inspect --format '{{.Name}}' "$container")" >&2
        return 1
    done
}
