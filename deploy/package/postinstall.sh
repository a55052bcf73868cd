#!/bin/sh
# Runs after the .deb or .rpm package was installed or upgraded.
set -e
# The profile needs the rules of AppArmor 4. Where they are missing, the system does not
# restrict user namespaces either, so Anchor does not need the profile.
if [ -e /etc/apparmor.d/abi/4.0 ]; then
  install -m 644 /usr/share/anchor/anchor.apparmor /etc/apparmor.d/anchor
  if command -v apparmor_parser >/dev/null; then
    apparmor_parser -r /etc/apparmor.d/anchor || echo "anchor: could not load /etc/apparmor.d/anchor" >&2
  fi
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart anchor.service
fi
if ! command -v node >/dev/null; then
  echo "Anchor needs Node.js 20 or newer to run apps. Install it, then check with: anchor doctor"
fi
echo "To start Anchor now and at every boot, run: systemctl enable --now anchor"
