# shellcheck shell=bash
# What the checks need, for them to source. Debian and PyPI have nearly all of it, so what is missing is installed, or is
# an error: a check that is left out in silence finds nothing.

# require TOOL=PACKAGE…: each tool is there, if need be from its Debian package. $install says whether to install it.
require() {
    local each missing=()
    for each in "$@"; do
        command -v "${each%%=*}" >/dev/null || missing+=("${each#*=}")
    done
    if ((${#missing[@]} == 0)); then
        return
    fi
    if [[ ${install:?} != true ]]; then
        echo "error: the Debian packages ${missing[*]} are missing: $0 --install installs them" >&2
        exit 1
    fi
    apt-get update
    apt-get install --yes --no-install-recommends "${missing[@]}"
}
