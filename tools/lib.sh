# What the tools share. Sourced by bash scripts, which have set `top` to the project's folder.
# shellcheck shell=bash

# Debian's own programs first: a python3 or meson of the user's may lack the modules of tools/packages.
: "${top:?}"
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PATH

say() {
        printf '== %s\n' "$*"
}

die() {
        printf '%s: %s\n' "${0##*/}" "$*" >&2
        exit 1
}

as_root() {
        if [ "$(id -u)" -eq 0 ]; then
                "$@"
        else
                sudo "$@"
        fi
}

# Those of the packages named on standard input that are not installed: for this machine's processor, or for the one behind
# the colon.
packages_missing_of() {
        local package architecture
        while read -r package; do
                case "$package" in
                '' | '#'*) continue ;;
                *:*) architecture=${package#*:} ;;
                *) architecture=$(dpkg --print-architecture) ;;
                esac
                dpkg-query -W -f '${Architecture} ${db:Status-Status}\n' "$package" 2>/dev/null |
                        grep -qxE "(all|$architecture) installed" || printf '%s\n' "$package"
        done
}

# The packages of the lists tools/packages/NAME that are not installed.
packages_missing() {
        local list
        for list in "$@"; do
                packages_missing_of <"$top/tools/packages/$list"
        done
}

packages_install() {
        say "installing $*"
        as_root apt-get update -qq &&
                as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
}

# Installs what is missing of the lists; asks no package server where nothing is.
packages_need() {
        local missing
        mapfile -t missing < <(packages_missing "$@")
        [ "${#missing[@]}" -eq 0 ] || packages_install "${missing[@]}"
}

# Recordings and test vectors: WARDSTONE_DATA, else ../shared/data, else nothing.
data_dir() {
        if [ -n "${WARDSTONE_DATA:-}" ]; then
                printf '%s\n' "$WARDSTONE_DATA"
        elif [ -d "$top/../shared/data" ]; then
                realpath "$top/../shared/data"
        fi
}

# build_in FOLDER COMPILER [MESON OPTION...]: configures and compiles build/FOLDER, or $ninja_target alone. What is there already
# is used again as long as it was made with the same options.
build_in() {
        local folder=$top/build/$1 options
        options="$2 -Ddata=$(data_dir) ${*:3}"
        if [ "$(cat "$folder/options" 2>/dev/null)" != "$options" ]; then
                rm -rf "$folder"
                CC=$2 meson setup "$folder" "$top" "-Ddata=$(data_dir)" "${@:3}" || return 1
                printf '%s\n' "$options" >"$folder/options"
        fi
        ninja -C "$folder" ${ninja_target:+"$ninja_target"}
}

# The builds that tests run on, by the name of their folder.
build_test() {
        case "$1" in
        gcc) build_in gcc gcc --werror ;;
        faults) build_in faults gcc --werror -Dfaults=true ;;
        asan) build_in asan clang-14 --werror -Dfaults=true -Db_sanitize=address,undefined -Db_lundef=false ;;
        tsan) build_in tsan clang-14 --werror -Dfaults=true -Db_sanitize=thread -Db_lundef=false ;;
        fuzz) ninja_target=fuzzers build_in fuzz clang-14 --werror -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false ;;
        *) die "no such build: $1" ;;
        esac
}
