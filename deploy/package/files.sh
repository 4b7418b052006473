# The files that are in every package: what the binary says of itself, and the tree that is put together from it.
# shellcheck shell=bash
#
# Sourced by deploy/package.sh, whose variables these functions read.

# A unit is a file of deploy/ by this name. In the order in which they are stopped: a socket would have its service started again.
readonly UNITS=(penstock.socket penstock.service)

# The packages whose libraries a binary links, with the versions from which on they will do, as dpkg wants them.
shared_library_packages() {
    local tree=$scratch/shlibs/debian
    mkdir -p "$tree/penstock/DEBIAN"
    printf 'Source: penstock\n\nPackage: penstock\nArchitecture: any\n' >"$tree/control"
    place 755 "$1" "$tree/penstock/usr/bin/penstock"
    (cd "$scratch/shlibs" && dpkg-shlibdeps -O debian/penstock/usr/bin/penstock) | sed -n 's/^shlibs:Depends=//p'
}

# Pages, completions, the schema and the list of contents, below $scratch/generated.
make_generated_files() {
    local generated=$scratch/generated shell
    mkdir "$generated"
    "$binary" manual >"$generated/penstock.1"
    "$binary" manual --page penstock.yaml >"$generated/penstock.yaml.5"
    for shell in bash zsh fish; do
        "$binary" completion "$shell" >"$generated/completion.$shell"
    done
    "$binary" schema >"$generated/policy.schema.json"
    "$binary" schema --included >"$generated/included.schema.json"
    python3 -B "$root/deploy/package/sbom.py" "$binary" "$PENSTOCK" "$version" "$root/Package.resolved" \
        "$depends" >"$generated/penstock.cdx.json"
}

# place MODE SOURCE TARGET: a file, and the folders that it is in.
place() {
    install -D --mode "$1" "$2" "$3"
}

# place_shared PREFIX ZSH_FOLDER: what is below PREFIX/share, wherever that is.
place_shared() {
    local share=$1/share generated=$scratch/generated file
    place 644 "$generated/penstock.1" "$share/man/man1/penstock.1"
    place 644 "$generated/penstock.yaml.5" "$share/man/man5/penstock.yaml.5"
    place 644 "$generated/completion.bash" "$share/bash-completion/completions/penstock"
    place 644 "$generated/completion.zsh" "$share/zsh/$2/_penstock"
    place 644 "$generated/completion.fish" "$share/fish/vendor_completions.d/penstock.fish"
    place 644 "$generated/policy.schema.json" "$share/penstock/policy.schema.json"
    place 644 "$generated/included.schema.json" "$share/penstock/included.schema.json"
    place 644 "$root/deploy/grafana-dashboard.json" "$share/penstock/grafana-dashboard.json"
    place 644 "$root/deploy/prometheus-rules.yaml" "$share/penstock/prometheus-rules.yaml"
    place 644 "$generated/penstock.cdx.json" "$share/doc/penstock/penstock.cdx.json"
    for file in "$root"/{README,SECURITY}.md "$root"/docs/*.md; do
        place 644 "$file" "$share/doc/penstock/${file#"$root"/}"
    done
    for file in "$root"/policies/*; do
        place 644 "$file" "$share/doc/penstock/examples/policies/${file##*/}"
    done
}

# Every file and folder below $1 gets the time of the release.
set_times() {
    find "$1" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
}

# make_archive FOLDER NAME...: a tar file to standard output, the same for the same contents.
make_archive() {
    tar --create --directory "$1" --sort name --format gnu --owner 0 --group 0 --numeric-owner \
        --mtime "@$SOURCE_DATE_EPOCH" "${@:2}"
}

# The tree for /usr/local, or for a folder of its own.
make_tarball() {
    local tree=$scratch/tarball/penstock-$version unit
    place 755 "$binary" "$tree/bin/penstock"
    place_shared "$tree" site-functions
    place 644 "$root/deploy/package/policy.yaml" "$tree/share/penstock/policy.yaml"
    for unit in "${UNITS[@]}"; do
        place 644 "$root/deploy/$unit" "$tree/share/penstock/$unit"
    done
    place 644 "$root/LICENSE" "$tree/share/doc/penstock/LICENSE"
    place 644 "$root/CHANGELOG.md" "$tree/share/doc/penstock/CHANGELOG.md"
    make_archive "$scratch/tarball" "penstock-$version" | gzip --no-name >"$out/$name.tar.gz"
}

make_sbom() {
    place 644 "$scratch/generated/penstock.cdx.json" "$out/$name.cdx.json"
}
