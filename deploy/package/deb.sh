# The package for Debian.
# shellcheck shell=bash
#
# Sourced by deploy/package.sh, whose variables these functions read.

make_deb() {
    local tree=$scratch/deb file unit
    local full=$version-$revision
    place 755 "$binary" "$tree/usr/bin/penstock"
    place_shared "$tree/usr" vendor-completions
    for unit in "${UNITS[@]}"; do
        place 644 "$root/deploy/$unit" "$tree/lib/systemd/system/$unit"
    done
    place 644 "$root/deploy/package/sysusers.conf" "$tree/usr/lib/sysusers.d/penstock.conf"
    place 644 "$root/deploy/package/logrotate" "$tree/etc/logrotate.d/penstock"
    place 644 "$root/deploy/package/policy.yaml" "$tree/etc/penstock/policy.yaml"
    place 644 "$root/deploy/package/copyright" "$tree/usr/share/doc/penstock/copyright"
    place 644 "$root/CHANGELOG.md" "$tree/usr/share/doc/penstock/changelog"
    debian_changelog "$full" >"$tree/usr/share/doc/penstock/changelog.Debian"
    place 644 "$root/deploy/package/lintian-overrides" "$tree/usr/share/lintian/overrides/penstock"
    gzip -9 --no-name "$tree"/usr/share/man/man*/* "$tree"/usr/share/doc/penstock/changelog{,.Debian}

    mkdir "$tree/DEBIAN"
    (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -path './etc/*' -printf '/%P\n' | sort) \
        >"$tree/DEBIAN/conffiles"
    (cd "$tree" && find . -path ./DEBIAN -prune -o -type f ! -path './etc/*' -printf '%P\0' |
        sort --zero-terminated | xargs --null md5sum) >"$tree/DEBIAN/md5sums"
    for file in postinst prerm postrm; do
        sed "s|@UNITS@|${UNITS[*]}|" "$root/deploy/package/$file" >"$tree/DEBIAN/$file"
        chmod 755 "$tree/DEBIAN/$file"
    done
    debian_control "$full" "$tree" >"$tree/DEBIAN/control"
    set_times "$tree"
    # How many threads compress decides where blocks end. The highest levels take three times as long for a tenth less.
    dpkg-deb --root-owner-group --threads-max=1 -Zxz -z2 --build "$tree" \
        "$out/penstock_${full}_$architecture.deb" >/dev/null
}

maintainer() {
    echo "${DEBFULLNAME:-The Penstock authors} <${DEBEMAIL:-maintainers@penstock.invalid}>"
}

# debian_control VERSION TREE: the fields of the package, with the size of what it installs.
debian_control() {
    local size
    # In KiB, each file rounded up and each folder as one, as dpkg-gencontrol counts.
    size=$(find "$2" -path "$2/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '1\n' |
        awk '{ total += int(($1 + 1023) / 1024) } END { print total }')
    sed -e "s|@VERSION@|$1|" -e "s|@ARCHITECTURE@|$architecture|" -e "s|@MAINTAINER@|$(maintainer)|" \
        -e "s|@SIZE@|$size|" -e "s/@DEPENDS@/$depends/" "$root/deploy/package/control"
}

debian_changelog() {
    printf 'penstock (%s) stable; urgency=medium\n\n' "$1"
    printf '  * Penstock %s; changelog.gz has what is new.\n\n' "$version"
    printf ' -- %s  %s\n' "$(maintainer)" "$(date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")"
}
