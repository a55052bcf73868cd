#!/bin/sh
# Runs before the package is removed or upgraded. dpkg passes "remove", rpm the number of
# versions that remain installed. The data in /var/lib/anchor stays.
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl disable --now anchor.service
fi
rm -f /etc/apparmor.d/anchor
