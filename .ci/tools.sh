# shellcheck shell=bash
# What the checks need, for them to source in the top folder. Debian and PyPI have nearly all of it, so what is missing is
# installed, or is an error: a check that is left out in silence finds nothing.

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

python_environment=$PWD/target/ci/python

# install_python_packages ARGUMENT…: what PyPI has, into an environment that the checks share.
install_python_packages() {
    if [[ ${install:?} != true ]]; then
        echo "error: something of PyPI's is missing: $0 --install installs it" >&2
        exit 1
    fi
    require python3=python3
    # Debian has a part of Python's module venv in a package of its own.
    python3 -c 'import ensurepip' 2>/dev/null || { apt-get update && apt-get install --yes --no-install-recommends python3-venv; }
    python3 -m venv "$python_environment"
    "$python_environment/bin/pip" install --quiet "$@"
}
