# The image: the binary, the libraries that it is linked to, and what they read. No shell, no package manager.
# shellcheck shell=bash
#
# Sourced by deploy/package.sh, whose variables these functions read. It is the Dockerfile's image without what a
# gateway needs nothing of; who runs it sees no difference.

make_image() {
    local rootfs=$scratch/rootfs layout=$scratch/layout created rootless=()
    created=$(date --utc --date "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
    fill_rootfs "$rootfs"
    set_times "$rootfs"
    if ((EUID != 0)); then rootless=(--rootless); fi
    local image=$layout:$version
    umoci init --layout "$layout"
    umoci new --image "$image"
    umoci insert --image "$image" "${rootless[@]}" --history.created "$created" \
        --history.created_by "deploy/package.sh" "$rootfs" /
    umoci config --image "$image" --no-history --created "$created" --os linux --architecture "$architecture" \
        --config.user 65532:65532 --config.exposedports 8080 --config.stopsignal SIGTERM \
        --config.env PATH=/usr/local/bin:/usr/bin \
        --config.entrypoint /usr/local/bin/penstock \
        --config.cmd serve --config.cmd --policy --config.cmd /etc/penstock/policy.yaml \
        --config.label org.opencontainers.image.title=penstock \
        --config.label "org.opencontainers.image.version=$version" \
        --config.label org.opencontainers.image.licenses=Apache-2.0
    umoci gc --layout "$layout" >/dev/null 2>&1
    make_archive "$layout" blobs index.json oci-layout >"$out/$name.oci.tar"
}

# The one layer. Libraries lie where Debian has them, in the one /usr.
fill_rootfs() {
    local rootfs=$1 folder library
    mkdir -p "$rootfs"/{etc/penstock,dev,proc,sys,run,usr/lib,usr/lib64,var/lib/dpkg/status.d}
    mkdir -m 1777 "$rootfs/tmp"
    for folder in lib lib64; do ln -s "usr/$folder" "$rootfs/$folder"; done
    place 755 "$binary" "$rootfs/usr/local/bin/penstock"
    while read -r library; do
        place 755 "$(realpath "$library")" "$rootfs/usr/${library#/usr/}"
        describe_package "$rootfs" "$library"
    done < <(linked_libraries)
    # Certificates of authorities for backends at https://, where libcurl looks for them.
    place 644 /etc/ssl/certs/ca-certificates.crt "$rootfs/etc/ssl/certs/ca-certificates.crt"
    describe_package "$rootfs" /usr/sbin/update-ca-certificates
    place 644 /usr/lib/os-release "$rootfs/usr/lib/os-release"
    ln -s ../usr/lib/os-release "$rootfs/etc/os-release"
    echo "hosts: files dns" >"$rootfs/etc/nsswitch.conf"
    printf '%s\n' "root:x:0:0:root:/:/usr/sbin/nologin" "penstock:x:65532:65532:Penstock:/:/usr/sbin/nologin" \
        >"$rootfs/etc/passwd"
    printf '%s\n' "root:x:0:" "penstock:x:65532:" >"$rootfs/etc/group"
    place 644 "$scratch/generated/penstock.cdx.json" "$rootfs/usr/share/doc/penstock/penstock.cdx.json"
    place 644 "$root/LICENSE" "$rootfs/usr/share/doc/penstock/copyright"
}

# Every shared object that the loader would map, and the loader, by the paths that it would take.
linked_libraries() {
    ldd "$binary" | sed -nE 's|^.* => (/[^ ]+) \(.*|\1|p; s|^[[:space:]]*(/[^ ]+) \(.*|\1|p' | sort --unique
}

# describe_package ROOTFS FILE: what scanners look for, and the licence, of the package that a file is of. Its database
# may name the file by the path from before /usr was one.
describe_package() {
    local rootfs=$1 path=${2#/usr} package
    package=$({ dpkg-query --search "$path" || dpkg-query --search "/usr$path"; } 2>/dev/null |
        sed 's/: .*//; q') || fail "$2 is of no package of dpkg's"
    dpkg-query --status "$package" >"$rootfs/var/lib/dpkg/status.d/${package%%:*}"
    place 644 "/usr/share/doc/${package%%:*}/copyright" "$rootfs/usr/share/doc/${package%%:*}/copyright"
}
