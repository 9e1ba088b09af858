#!/bin/sh
# Removing the package leaves what belongs to its users, and says where that is.
# dpkg calls with `remove`, `purge` or another word; rpm with the number of versions that are left.
set -e

case "$1" in
remove | purge | 0) ;;
*) exit 0 ;;
esac

echo 'session-roam: settings, vault and history of its users stay, in ~/.local/share/session-roam:' >&2
found=no
while IFS=: read -r _ _ _ _ _ home _; do
    if [ -n "$home" ] && [ -d "$home/.local/share/session-roam" ]; then
        echo "  $home/.local/share/session-roam" >&2
        found=yes
    fi
done </etc/passwd
if [ "$found" = no ]; then
    echo '  (no user of this system has any there)' >&2
fi
echo 'Who wants them gone removes that directory. The sessions in the tools themselves lie elsewhere and are untouched.' >&2
